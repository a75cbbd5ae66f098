// What the server was told of suggestions already.
import type { Taken } from "./offers.ts";

/** Suggestions that are remembered; one that is older than so many is decided on no more. */
const MOST = 256;

export class Told {
  /** By the suggestion's id, and by the id and the text for parts, since the rest of a suggestion keeps its id. */
  private readonly units = new Map<string, number>();

  get size(): number {
    return this.units.size;
  }

  /** Whether it is news that a suggestion was seen. */
  saw(id: string): boolean {
    return this.more(id, 1);
  }

  /**
   * Whether more of a suggestion was taken than was told. The editor leaves the cursor where it was when it puts in an
   * emoji, so that what is before the cursor has not grown.
   */
  took({ offer: { id, insertText }, units }: Pick<Taken<unknown>, "offer" | "units">): boolean {
    return this.more(`${id} ${insertText}`, units);
  }

  private more(key: string, units: number): boolean {
    const before = this.units.get(key) ?? 0;
    this.units.delete(key);
    this.units.set(key, Math.max(before, units));
    const [oldest] = this.units.keys();
    if (this.units.size > MOST && oldest !== undefined) {
      this.units.delete(oldest);
    }
    return units > before;
  }
}
