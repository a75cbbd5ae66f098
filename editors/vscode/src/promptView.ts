// Shows what the model gets at the cursor, in a document that cannot be changed.
import {
  type Disposable,
  EventEmitter,
  type TextDocument,
  type TextDocumentContentProvider,
  Uri,
  window,
  workspace,
} from "vscode";
import { json } from "./program.ts";
import type { Prompt } from "./protocol.ts";
import type { Session } from "./session.ts";

const SCHEME = "truefill-prompt";
const SAVE = "Save and Show";

export class PromptView implements TextDocumentContentProvider, Disposable {
  private readonly emitter = new EventEmitter<Uri>();
  readonly onDidChange = this.emitter.event;
  private readonly registration: Disposable;
  private readonly session: Session;
  private content = "";

  constructor(session: Session) {
    this.session = session;
    this.registration = workspace.registerTextDocumentContentProvider(SCHEME, this);
  }

  provideTextDocumentContent(): string {
    return this.content;
  }

  /** Another run of the program makes the prompt, from the file on the disk. */
  async show(): Promise<void> {
    const program = this.session.requireProgram();
    const editor = window.activeTextEditor;
    if (editor === undefined || !(await isOnDisk(editor.document))) {
      return;
    }
    const { line, character } = editor.selection.active;
    const before = editor.document.lineAt(line).text.slice(0, character);
    const place = `${editor.document.uri.fsPath}:${line + 1}:${[...before].length + 1}`;
    const { prompt, tokens, sha256 } = await json<Prompt>(program, ["complete", place, "--show-prompt", "--json"]);
    this.content = `${prompt}\n\n(${tokens} tokens, SHA-256 ${sha256})\n`;
    const uri = Uri.from({ scheme: SCHEME, path: "/Prompt" });
    this.emitter.fire(uri);
    await window.showTextDocument(await workspace.openTextDocument(uri), { preview: true });
  }

  dispose(): void {
    this.registration.dispose();
    this.emitter.dispose();
  }
}

/** Whether the disk has what the user sees; it is saved if the user says so. */
async function isOnDisk(document: TextDocument): Promise<boolean> {
  if (document.uri.scheme !== "file") {
    void window.showInformationMessage("Truefill: the prompt is made from the file on the disk; save this one first.");
    return false;
  }
  if (!document.isDirty) {
    return true;
  }
  const sentence = "Truefill: the prompt is made from the file on the disk, which is older than what you see.";
  return (await window.showWarningMessage(sentence, SAVE)) === SAVE && (await document.save());
}
