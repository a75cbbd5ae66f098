// What the extension remembers beyond a window's life.
import type { Memento } from "vscode";

/** Updates of all memories wait for each other, whichever memory they are of. */
let last: Promise<unknown> = Promise.resolve();

/**
 * A part of the editor's memory. The editor sends it as a whole and takes it back as a whole, so of two updates
 * that overlap it loses one; here they never do.
 */
export class Memory {
  private readonly state: Pick<Memento, "get" | "update">;

  constructor(state: Pick<Memento, "get" | "update">) {
    this.state = state;
  }

  get<T>(key: string, otherwise: T): T {
    return this.state.get(key, otherwise);
  }

  /** Makes a value of the one that is there when its turn comes. */
  change<T>(key: string, otherwise: T, make: (value: T) => T): Promise<void> {
    const done = last.then(() => this.state.update(key, make(this.get(key, otherwise))));
    last = done.catch(() => undefined);
    return done;
  }
}
