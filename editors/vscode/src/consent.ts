// The first run's question: may the journal keep code? It is asked once and waits for nobody.
import { commands, window, workspace } from "vscode";
import type { Memory } from "./memory.ts";
import type { Session } from "./session.ts";

const ASKED = "truefill.askedAboutContext";
const SETTING = "journal.context";
const QUESTION =
  "Truefill counts in a journal on this machine what becomes of its suggestions. May the journal also keep the code " +
  "around them, with secrets replaced, so that a model can learn from it? Without an answer it does as " +
  "`truefill.toml` says, else it keeps none.";
const [YES, NO] = ["Keep Redacted Code", "Keep No Code"];

export class Consent {
  private readonly memory: Memory;
  private readonly session: Session;
  private asked = false;

  constructor(memory: Memory, session: Session) {
    this.memory = memory;
    this.session = session;
  }

  /** Asks, unless it was asked, is settled, or would change nothing here. A question that is closed changes nothing. */
  async ask(): Promise<void> {
    if (this.asked || this.memory.get(ASKED, false) || !this.matters()) {
      return;
    }
    this.asked = true;
    await this.memory.change(ASKED, false, () => true);
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
