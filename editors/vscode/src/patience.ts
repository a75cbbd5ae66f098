// Waiting for what may never come.

/** What was waited for did not come in time; the message says what to do. */
export class TooLate extends Error {}

/** What was waited for is wanted no more. */
export class GivenUp extends Error {}

/** What comes of `work` if it comes within so many milliseconds, else an error with that sentence. */
export async function within<T>(work: Promise<T>, milliseconds: number, sentence: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TooLate(sentence)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Work that somebody else can give up. */
export class Attempt {
  private refuse: (reason: Error) => void = () => {};
  private readonly refused = new Promise<never>((_, reject) => {
    this.refuse = reject;
  });

  constructor() {
    // Given up before anybody waits for it is no error.
    this.refused.catch(() => undefined);
  }

  of<T>(work: Promise<T>, milliseconds: number, sentence: string): Promise<T> {
    return within(Promise.race([work, this.refused]), milliseconds, sentence);
  }

  giveUp(): void {
    this.refuse(new GivenUp("It is wanted no more."));
  }
}
