// What the server offered last, so that the editor's acts can be told of the right suggestion.

export interface Place {
  line: number;
  character: number;
}

/** A place in a document as it was at a time. */
export interface Spot extends Place {
  document: string;
  version: number;
}

/** A suggestion as it was sent: its id, its text and where the text begins. */
export interface Offer<Item = unknown> {
  id: string;
  insertText: string;
  start: Place;
  /** The item as the server wrote it, which goes back to it. */
  item: Item;
}

interface Reply<Item> {
  document: string;
  offers: Offer<Item>[];
  /** The one that the editor shows. */
  index: number;
  /** Whether alternatives were asked for. */
  invoked: boolean;
}

/** A part of a suggestion that was accepted: UTF-16 units from the beginning of its text. */
export interface Taken<Item> {
  offer: Offer<Item>;
  units: number;
}

/** While a suggestion is typed or accepted in parts, the editor asks again; some replies back suffice. */
const REPLIES = 8;

/** The last replies, the newest first. */
export class Offers<Item = unknown> {
  private replies: Reply<Item>[] = [];
  /** Steps that wait for the alternatives at the place where they were made. */
  private waiting: { spot: Spot; steps: number } | undefined;

  /**
   * A reply came; the suggestion that was shown before stays the chosen one if it is among them. If the user
   * has asked for the alternatives in it by going on to another one, that one is given back.
   */
  add(spot: Spot, offers: Offer<Item>[], invoked: boolean): Offer<Item> | undefined {
    const { document } = spot;
    const steps = this.stepsTo(spot, invoked);
    if (offers.length === 0) {
      return undefined;
    }
    const before = this.current(document)?.insertText;
    const index = Math.max(
      0,
      offers.findIndex((offer) => offer.insertText === before),
    );
    this.replies = [{ document, offers, index, invoked }, ...this.replies.slice(0, REPLIES - 1)];
    return steps === 0 ? undefined : this.turn(spot, steps);
  }

  /**
   * The steps that waited for this reply. They wait for the alternatives of their own place alone: whatever else is
   * answered there, be it nothing, or is asked elsewhere, nobody has seen it because of them.
   */
  private stepsTo(spot: Spot, invoked: boolean): number {
    const { waiting } = this;
    const isHere = waiting !== undefined && isSame(waiting.spot, spot);
    if (isHere && !invoked) {
      return 0;
    }
    this.waiting = undefined;
    return isHere ? waiting.steps : 0;
  }

  /**
   * The user went on to another alternative: the one that is shown now. A reply to mere typing has no
   * alternatives; the editor asks for them then, and what it shows is known when they are there.
   */
  turn(spot: Spot, steps: number): Offer<Item> | undefined {
    const reply = this.newest(spot.document);
    if (reply === undefined) {
      return undefined;
    }
    if (!reply.invoked) {
      const before = this.waiting !== undefined && isSame(this.waiting.spot, spot) ? this.waiting.steps : 0;
      this.waiting = { spot, steps: steps + before };
      return undefined;
    }
    const count = reply.offers.length;
    reply.index = (((reply.index + steps) % count) + count) % count;
    return this.current(spot.document);
  }

  /** The suggestion that is shown, if one is. */
  current(document: string): Offer<Item> | undefined {
    const reply = this.newest(document);
    return reply?.offers[reply.index];
  }

  /**
   * Of which suggestion a part was accepted: the newest one whose text begins with what stands
   * between its place and the cursor. `between` gives that text.
   */
  taken(document: string, between: (start: Place) => string | undefined): Taken<Item> | undefined {
    for (const reply of this.replies) {
      if (reply.document !== document) {
        continue;
      }
      const [shown, ...others] = [...reply.offers.slice(reply.index), ...reply.offers.slice(0, reply.index)];
      for (const offer of shown ? [shown, ...others] : []) {
        const units = begun(offer.insertText, between(offer.start));
        if (units > 0) {
          return { offer, units };
        }
      }
    }
    return undefined;
  }

  /** The suggestion of this id, if it is among the last ones. */
  named(id: string): Offer<Item> | undefined {
    return this.replies.flatMap((reply) => reply.offers).find((offer) => offer.id === id);
  }

  /** Nothing is offered any more. */
  clear(): void {
    this.replies = [];
    this.waiting = undefined;
  }

  private newest(document: string): Reply<Item> | undefined {
    const reply = this.replies[0];
    return reply?.document === document ? reply : undefined;
  }
}

function isSame(one: Spot, other: Spot): boolean {
  return (
    one.document === other.document &&
    one.version === other.version &&
    one.line === other.line &&
    one.character === other.character
  );
}

/** How many units of a suggestion's text `written` is the beginning of; 0 where it is not. */
export function begun(insertText: string, written: string | undefined): number {
  if (written === undefined) {
    return 0;
  }
  // The editor writes the document's line ends, whatever the suggestion has.
  const text = insertText.includes("\r\n") ? written : written.replaceAll("\r\n", "\n");
  return insertText.startsWith(text) ? text.length : 0;
}
