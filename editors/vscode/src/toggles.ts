// Switching suggestions off and on: everywhere, in a language, in a file.
import { ConfigurationTarget, Disposable, EventEmitter, type TextDocument, type Uri, window, workspace } from "vscode";
import { isOn, type Languages, type MadeLanguages, switched } from "./languages.ts";
import type { Memory } from "./memory.ts";
import { renamed } from "./offFiles.ts";
import { toggled } from "./settings.ts";

/** Where the workspace's state keeps the files in which suggestions are off. */
const OFF_FILES = "truefill.offFiles";
const NOTEBOOK_CELL = "vscode-notebook-cell";
const UNTITLED = "untitled";

/** That something is off, and the command that turns it on. */
export interface Off {
  message: string;
  command: string;
}

export class Toggles {
  private readonly memory: Memory;
  /** Documents that are on no disk: another one may have the same name once they are closed. */
  private readonly offUntitled = new Set<string>();
  /** What is off is another than before. */
  readonly changed = new EventEmitter<void>();
  readonly listening: Disposable;

  constructor(memory: Memory) {
    this.memory = memory;
    this.listening = Disposable.from(
      this.changed,
      workspace.onDidCloseTextDocument(({ uri }) => this.closed(uri)),
      workspace.onDidCloseNotebookDocument(({ uri }) => this.closed(uri)),
      workspace.onDidRenameFiles(({ files }) => {
        for (const { oldUri, newUri } of files) {
          void this.changeFiles((all) => renamed(all, oldUri.toString(), newUri.toString()));
        }
      }),
    );
  }

  /** What turned a document off; `undefined` where it is on. */
  off(document: TextDocument): Off | undefined {
    if (this.isOffIn(document)) {
      return { message: "Truefill is off in this file.", command: "truefill.toggleHere" };
    }
    return this.isOffInLanguage(document.languageId)
      ? { message: `Truefill is off in ${document.languageId}.`, command: "truefill.toggleLanguage" }
      : undefined;
  }

  isOffIn(document: TextDocument): boolean {
    const key = fileOf(document).toString();
    return this.offUntitled.has(key) || this.memory.get<string[]>(OFF_FILES, []).includes(key);
  }

  isOffInLanguage(language: string): boolean {
    return !isOn(madeLanguages(), language);
  }

  /** Off or on for all files of this user. */
  async everywhere(): Promise<void> {
    const configuration = workspace.getConfiguration("truefill");
    const enabled = !configuration.get("enabled", true);
    await configuration.update("enabled", enabled, target("enabled"));
    window.setStatusBarMessage(`Truefill is ${enabled ? "on" : "off everywhere"}.`, 3000);
  }

  /** Off or on in a language, in this editor: what `truefill.toml` says about it holds beside that. */
  async inLanguage(language: string): Promise<void> {
    const { on, where, value } = switched(madeLanguages(), language);
    const layer = where === "workspace" ? ConfigurationTarget.Workspace : ConfigurationTarget.Global;
    await workspace.getConfiguration("truefill").update("languages", value, layer);
    window.setStatusBarMessage(`Truefill is ${on ? "on" : "off"} in ${language}.`, 3000);
  }

  /** Off or on in a file, in this workspace; a notebook is one file. */
  async inFile(document: TextDocument): Promise<void> {
    const uri = fileOf(document);
    const key = uri.toString();
    if (uri.scheme !== UNTITLED) {
      await this.changeFiles((all) => toggled(all, key));
    } else if (!this.offUntitled.delete(key)) {
      this.offUntitled.add(key);
    }
    window.setStatusBarMessage(`Truefill is ${this.isOffIn(document) ? "off" : "on"} in this file.`, 3000);
  }

  private async changeFiles(change: (files: string[]) => string[]): Promise<void> {
    await this.memory.change<string[]>(OFF_FILES, [], change);
    this.changed.fire();
  }

  /** A document that gets another language is closed and opened again at once. */
  private closed(uri: Uri): void {
    const key = uri.toString();
    setImmediate(() => {
      const open = [...workspace.textDocuments, ...workspace.notebookDocuments];
      if (open.every((document) => document.uri.toString() !== key)) {
        this.offUntitled.delete(key);
      }
    });
  }
}

/** The file that a document is of: of a notebook's cell that is the notebook. */
function fileOf(document: TextDocument): Uri {
  if (document.uri.scheme !== NOTEBOOK_CELL) {
    return document.uri;
  }
  const holds = workspace.notebookDocuments.find((it) => it.getCells().some((cell) => cell.document === document));
  return holds?.uri ?? document.uri;
}

function madeLanguages(): MadeLanguages {
  return workspace.getConfiguration("truefill").inspect<Languages>("languages") ?? {};
}

/** Where a setting is to be changed: in the workspace if it is made there, since that wins. */
function target(key: string): ConfigurationTarget {
  const made = workspace.getConfiguration("truefill").inspect(key);
  return made?.workspaceValue === undefined ? ConfigurationTarget.Global : ConfigurationTarget.Workspace;
}
