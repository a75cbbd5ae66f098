// The first run's question: may the journal keep code? It is asked once and waits for nobody.
import { commands, type Memento, window, workspace } from "vscode";
import type { Session } from "./session.ts";

const ASKED = "truefill.askedAboutContext";
const SETTING = "journal.context";
const QUESTION =
  "Truefill counts in a journal on this machine what becomes of its suggestions. May the journal also keep the code " +
  "around them, with secrets replaced, so that a model can learn from it?";
const [YES, NO] = ["Keep Redacted Code", "Keep No Code"];

export class Consent {
  private readonly state: Memento;
  private readonly session: Session;
  private asked = false;

  constructor(state: Memento, session: Session) {
    this.state = state;
    this.session = session;
  }

  /** Asks, unless it was asked, is settled, or would change nothing here. A question that is closed changes nothing. */
  async ask(): Promise<void> {
    if (this.asked || this.state.get(ASKED, false) || !this.matters()) {
      return;
    }
    this.asked = true;
    await this.state.update(ASKED, true);
    const answer = await window.showInformationMessage(QUESTION, YES, NO);
    if (answer !== undefined) {
      await commands.executeCommand(answer === YES ? "truefill.keepContext" : "truefill.keepNoContext");
    }
  }

  /** Whether the user has said it, here or in the settings. */
  get isSettled(): boolean {
    return workspace.getConfiguration("truefill").inspect(SETTING)?.globalValue !== undefined;
  }

  private matters(): boolean {
    const journal = workspace.getConfiguration("truefill").get("journal.enabled", true);
    return this.session.running !== undefined && workspace.isTrusted && journal && !this.isSettled;
  }
}
