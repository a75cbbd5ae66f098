// Says when something is due again, for each of several things.

export class Seldom {
  private readonly last = new Map<string, number>();
  private readonly milliseconds: number;
  private readonly now: () => number;

  constructor(milliseconds: number, now: () => number = Date.now) {
    this.milliseconds = milliseconds;
    this.now = now;
  }

  /** Whether it is long enough ago that this was due. */
  due(key: string): boolean {
    const now = this.now();
    const last = this.last.get(key);
    if (last !== undefined && now - last >= 0 && now - last < this.milliseconds) {
      return false;
    }
    this.last.set(key, now);
    return true;
  }

  forget(key: string): void {
    this.last.delete(key);
  }
}
