// Turning a language off or on, without pretending to be able to where the program has it off by itself.
import { type TextDocument, workspace } from "vscode";
import { show } from "./remedies.ts";
import type { Session } from "./session.ts";
import type { Toggles } from "./toggles.ts";
import { DISABLED_LANGUAGE, offInProgram } from "./whyText.ts";

export async function switchLanguage(session: Session, toggles: Toggles, document: TextDocument): Promise<void> {
  const language = document.languageId;
  const isOff = await isOffInProgram(session, document);
  // What is off in the program alone cannot be turned on from here, and need not be turned off.
  if (!isOff || toggles.isOffInLanguage(language)) {
    await toggles.inLanguage(language);
  }
  if (isOff) {
    const listed = workspace.getConfiguration("truefill").get<string[]>("suggest.disabled_languages", []);
    await show(offInProgram(language, listed.includes(language)));
  }
}

async function isOffInProgram(session: Session, document: TextDocument): Promise<boolean> {
  const answer = await session.why(document, { line: 0, character: 0 }).catch(() => undefined);
  return answer?.here?.reason === DISABLED_LANGUAGE;
}
