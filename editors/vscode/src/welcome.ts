// The first run: the walkthrough and what its buttons do.
import { commands, ConfigurationTarget, Position, Selection, window, workspace } from "vscode";
import type { Memory } from "./memory.ts";

const WELCOMED = "truefill.welcomed";
const WALKTHROUGH = "truefill.truefill#start";

/** What the example says up to the cursor, and after it. */
const EXAMPLE: [before: string, after: string] = [
  `# Press Tab to take what is suggested in grey, Esc to turn it down.
# Alt+\\ asks for a suggestion; Ctrl+Right takes a word of it.

def oldest(people):
    return max(people, key=lambda person: person.age)


def youngest(people):
    `,
  "\n",
];

/** Opens the walkthrough the first time, unless the user wants none of any extension. */
export async function welcome(memory: Memory): Promise<void> {
  const wanted = workspace.getConfiguration("workbench.welcomePage.walkthroughs").get("openOnInstall", true);
  if (wanted && !memory.get(WELCOMED, false)) {
    await memory.change(WELCOMED, false, () => true);
    void openWalkthrough();
  }
}

export async function openWalkthrough(): Promise<void> {
  await commands.executeCommand("workbench.action.openWalkthrough", WALKTHROUGH, false);
}

/** Asks for the program's file and remembers it for this machine. */
export async function locateProgram(): Promise<void> {
  const found = await window.showOpenDialog({
    title: "The program `truefill`",
    openLabel: "Use",
    canSelectMany: false,
  });
  if (found?.[0] !== undefined) {
    await workspace.getConfiguration("truefill").update("server.path", found[0].fsPath, ConfigurationTarget.Global);
  }
}

/** Whether the journal may keep code, which only the user says. */
export async function keepContext(keep: boolean): Promise<void> {
  // A `no` is written down, too: it wins over a yes in `truefill.toml`.
  await workspace.getConfiguration("truefill").update("journal.context", keep, ConfigurationTarget.Global);
  const kept = "The journal keeps redacted code around suggestions, on this machine only.";
  window.setStatusBarMessage(keep ? `Truefill: ${kept}` : "Truefill: the journal keeps no code.", 5000);
}

/** Opens an example and asks for a suggestion in it. */
export async function tryIt(): Promise<void> {
  const [before, after] = EXAMPLE;
  const document = await workspace.openTextDocument({ language: "python", content: before + after });
  const editor = await window.showTextDocument(document);
  const lines = before.split("\n");
  const end = new Position(lines.length - 1, lines.at(-1)?.length ?? 0);
  editor.selection = new Selection(end, end);
  await commands.executeCommand("editor.action.inlineSuggest.trigger");
}
