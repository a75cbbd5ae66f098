// Switching suggestions off and on: everywhere, in a language, in a file.
import { ConfigurationTarget, type Memento, type TextDocument, window, workspace } from "vscode";
import { toggled } from "./settings.ts";

/** Where the workspace's state keeps the files in which suggestions are off. */
const OFF_FILES = "truefill.offFiles";
const LANGUAGES = "suggest.disabled_languages";

/** That something is off, and the command that turns it on. */
export interface Off {
  message: string;
  command: string;
}

export class Toggles {
  private readonly state: Memento;

  constructor(state: Memento) {
    this.state = state;
  }

  /** What turned a document off; `undefined` where it is on. */
  off({ uri, languageId }: TextDocument): Off | undefined {
    if (this.offFiles().includes(uri.toString())) {
      return { message: "Truefill is off in this file.", command: "truefill.toggleHere" };
    }
    return this.isOffInLanguage(languageId)
      ? { message: `Truefill is off in ${languageId}.`, command: "truefill.toggleLanguage" }
      : undefined;
  }

  isOffIn(document: TextDocument): boolean {
    return this.offFiles().includes(document.uri.toString());
  }

  /** Off or on for all files of this user. */
  async everywhere(): Promise<void> {
    const configuration = workspace.getConfiguration("truefill");
    const enabled = !configuration.get("enabled", true);
    await configuration.update("enabled", enabled, target("enabled"));
    window.setStatusBarMessage(`Truefill is ${enabled ? "on" : "off everywhere"}.`, 3000);
  }

  /** Off or on in a language; the server knows it, so that it can say so. */
  async inLanguage(language: string): Promise<void> {
    const configuration = workspace.getConfiguration("truefill");
    const languages = toggled(configuration.get<string[]>(LANGUAGES, []), language);
    await configuration.update(LANGUAGES, languages, target(LANGUAGES));
    window.setStatusBarMessage(`Truefill is ${languages.includes(language) ? "off" : "on"} in ${language}.`, 3000);
  }

  isOffInLanguage(language: string): boolean {
    return workspace.getConfiguration("truefill").get<string[]>(LANGUAGES, []).includes(language);
  }

  /** Off or on in a file, in this workspace. */
  async inFile(document: TextDocument): Promise<void> {
    await this.state.update(OFF_FILES, toggled(this.offFiles(), document.uri.toString()));
    window.setStatusBarMessage(`Truefill is ${this.isOffIn(document) ? "off" : "on"} in this file.`, 3000);
  }

  private offFiles(): string[] {
    return this.state.get<string[]>(OFF_FILES, []);
  }
}

/** Where a setting is to be changed: in the workspace if it is made there, since that wins. */
function target(key: string): ConfigurationTarget {
  const made = workspace.getConfiguration("truefill").inspect(key);
  return made?.workspaceValue === undefined ? ConfigurationTarget.Global : ConfigurationTarget.Workspace;
}
