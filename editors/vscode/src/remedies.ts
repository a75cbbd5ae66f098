// Telling the user why something is so, with what can be done about it.
import { commands, window } from "vscode";
import type { Explanation } from "./whyText.ts";

/** Says something, and does what the user chooses of what can be done about it. */
export async function show({ message, remedies }: Explanation): Promise<void> {
  const chosen = await window.showInformationMessage(`Truefill: ${message}`, ...remedies.map((remedy) => remedy.label));
  const remedy = remedies.find((it) => it.label === chosen);
  if (remedy !== undefined) {
    await commands.executeCommand(remedy.command, ...(remedy.arguments ?? []));
  }
}
