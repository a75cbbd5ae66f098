// Tells the server what became of its suggestions, as far as the editor lets an extension know.
//
// The stable API tells one thing: a suggestion that is accepted as a whole runs its command. What is
// accepted in parts, turned down or leafed through is known where the user does it by a key, because
// the extension's commands are bound to these keys and have the editor do the work.
import { commands, Range, type TextDocument, type TextEditor, window } from "vscode";
import type { InlineCompletionItem } from "vscode-languageclient/node";
import { begun, type Offer, Offers, type Place, type Spot } from "./offers.ts";
import { PARTIALLY_ACCEPTED, REJECTED, SHOWN } from "./protocol.ts";
import type { Session } from "./session.ts";
import { Told } from "./told.ts";

const BUILT_IN = "editor.action.inlineSuggest";

export class Outcomes {
  private readonly offers = new Offers<InlineCompletionItem>();
  private readonly session: () => Session;
  private readonly told = new Told();
  /** Keys can come faster than the editor does what they say. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(session: () => Session) {
    this.session = session;
  }

  /** The server made these offers, or none. */
  served(spot: Spot, offers: Offer<InlineCompletionItem>[], invoked: boolean): void {
    const turned = this.offers.add(spot, offers, invoked);
    if (turned !== undefined) {
      this.saw(turned);
    }
  }

  /** A whole suggestion was accepted, which the server is told by the item's command. */
  accepted(id: string): void {
    const offer = this.offers.named(id);
    if (offer !== undefined) {
      this.saw(offer);
    }
    this.offers.clear();
  }

  /** Accepts the next word or line. */
  acceptPart(what: "Word" | "Line"): Promise<void> {
    return this.inTurn(() => this.part(what));
  }

  /** Goes on to another alternative; who leafs through suggestions has seen them. */
  turn(steps: 1 | -1): Promise<void> {
    return this.inTurn(() => this.other(steps));
  }

  /** Turns the suggestion down. */
  dismiss(): Promise<void> {
    return this.inTurn(() => this.refuse());
  }

  private inTurn(act: () => Promise<void>): Promise<void> {
    const next = this.last.then(act);
    this.last = next.catch(() => undefined);
    return next;
  }

  private async part(what: "Word" | "Line"): Promise<void> {
    const editor = window.activeTextEditor;
    const before = editor?.document.version;
    await commands.executeCommand(`${BUILT_IN}.acceptNext${what}`);
    if (editor === undefined || editor.document.version === before) {
      return;
    }
    const taken = this.offers.taken(editor.document.uri.toString(), (start) => written(editor, start));
    // The rest of a suggestion is accepted by the item's own command.
    if (taken === undefined || taken.units >= taken.offer.insertText.length) {
      return;
    }
    this.saw(taken.offer);
    if (this.told.took(taken)) {
      this.tell(PARTIALLY_ACCEPTED, { item: taken.offer.item, acceptedLength: taken.units });
    }
  }

  private async other(steps: 1 | -1): Promise<void> {
    const editor = window.activeTextEditor;
    if (editor !== undefined) {
      const spot = spotOf(editor.document, editor.selection.active);
      const seen = this.offers.current(spot.document);
      const shown = this.offers.turn(spot, steps);
      [seen, shown].forEach((offer) => offer && stands(editor, offer) && this.saw(offer));
    }
    await commands.executeCommand(`${BUILT_IN}.${steps > 0 ? "showNext" : "showPrevious"}`);
  }

  private async refuse(): Promise<void> {
    const editor = window.activeTextEditor;
    await commands.executeCommand(`${BUILT_IN}.hide`);
    const offer = editor && this.offers.current(editor.document.uri.toString());
    if (editor !== undefined && offer !== undefined && stands(editor, offer)) {
      this.saw(offer);
      this.tell(REJECTED, { id: offer.id, reason: "dismissed" });
    }
    this.offers.clear();
  }

  /** Who decides on a suggestion has seen it, however quick the key was. */
  private saw({ id, item }: Offer<InlineCompletionItem>): void {
    if (this.told.saw(id)) {
      this.tell(SHOWN, { item });
    }
  }

  private tell(method: string, params: unknown): void {
    // A program that has just ended has nobody to tell; the log says so.
    void this.session()
      .running?.sendNotification(method, params)
      .catch(() => undefined);
  }
}

/** A place in a document as it is now. */
export function spotOf(document: TextDocument, { line, character }: Place): Spot {
  return { document: document.uri.toString(), version: document.version, line, character };
}

/** The text between a place and the cursor. */
function written(editor: TextEditor, start: Place): string | undefined {
  const range = new Range(start.line, start.character, editor.selection.active.line, editor.selection.active.character);
  return range.end.isEqual(editor.selection.active) ? editor.document.getText(range) : undefined;
}

/** Whether a suggestion can stand at the cursor: what is between its place and there is its beginning. */
function stands(editor: TextEditor, offer: Offer): boolean {
  const text = written(editor, offer.start);
  return text === "" || begun(offer.insertText, text) > 0;
}
