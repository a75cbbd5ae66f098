// "Why is there no suggestion?"
import { window, workspace } from "vscode";
import { SCHEMES } from "./client.ts";
import { TooLate } from "./patience.ts";
import { show } from "./remedies.ts";
import type { Session } from "./session.ts";
import type { Toggles } from "./toggles.ts";
import { silent, withoutServer, withServer } from "./whyText.ts";

export async function explain(session: Session, toggles: Toggles): Promise<void> {
  const editor = window.activeTextEditor;
  if (editor === undefined) {
    return void window.showInformationMessage("Truefill: no file is open.");
  }
  const { document } = editor;
  const known = withoutServer({
    state: session.state,
    inlineSuggest: workspace.getConfiguration("editor", document).get("inlineSuggest.enabled", true),
    off: toggles.off(document),
    served: SCHEMES.includes(document.uri.scheme),
  });
  if (known !== undefined) {
    return show(known);
  }
  const { line, character } = editor.selection.active;
  try {
    const answer = await session.why(document, { line, character });
    if (answer !== undefined) {
      await show(withServer(answer));
    }
  } catch (error) {
    if (!(error instanceof TooLate)) {
      throw error;
    }
    await show(silent(error.message));
  }
}
