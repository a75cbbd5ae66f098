// Shows what the model gets at the cursor, in a document that cannot be changed.
import { type Disposable, EventEmitter, type TextDocumentContentProvider, Uri, window, workspace } from "vscode";
import type { Session } from "./session.ts";

const SCHEME = "truefill-prompt";

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

  /** The server makes it of the text as it is in the editor. */
  async show(): Promise<void> {
    const editor = window.activeTextEditor;
    if (editor === undefined) {
      return;
    }
    const { prompt, tokens, sha256 } = await this.session.prompt(editor.document, editor.selection.active);
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
