// Where the editor starts the extension.
import { type ExtensionContext, InlineCompletionTriggerKind, window, workspace } from "vscode";
import type { Middleware } from "vscode-languageclient/node";
import { askForSuggestions } from "./client.ts";
import { registerCommands } from "./commands.ts";
import { Consent } from "./consent.ts";
import { Memory } from "./memory.ts";
import { Outcomes, spotOf } from "./outcomes.ts";
import { Session } from "./session.ts";
import { StatusBar } from "./statusBar.ts";
import { Steps } from "./steps.ts";
import { Toggles } from "./toggles.ts";
import { welcome } from "./welcome.ts";

let session: Session | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  const log = window.createOutputChannel("Truefill", { log: true });
  const toggles = new Toggles(new Memory(context.workspaceState));
  const steps = new Steps();
  const outcomes = new Outcomes(() => own);
  const own = new Session(
    context,
    log,
    middleware(() => own, toggles, outcomes),
    (id) => {
      outcomes.accepted(id);
      steps.update("suggestion", true);
    },
  );
  session = own;
  const statusBar = new StatusBar(own, toggles);
  const memory = new Memory(context.globalState);
  const consent = new Consent(memory, own);
  const refresh = () => {
    statusBar.update();
    steps.update("program", own.running !== undefined);
    steps.update("model", own.server?.kind === "Normal");
    steps.update("journal", consent.isSettled);
    void consent.ask();
  };
  context.subscriptions.push(
    log,
    statusBar,
    steps,
    toggles.listening,
    toggles.changed.event(refresh),
    own.changed.event(refresh),
    workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("truefill")) {
        refresh();
      }
    }),
    window.onDidChangeActiveTextEditor((editor) => {
      refresh();
      if (editor !== undefined) {
        void own.refreshArm(editor.document);
      }
    }),
    ...registerCommands({ context, log, session: own, toggles, outcomes, refresh }),
  );
  const started = own.start();
  await welcome(memory);
  await started;
}

/** Asked to end the program before the editor does. */
export async function deactivate(): Promise<void> {
  await session?.dispose();
}

function middleware(session: () => Session, toggles: Toggles, outcomes: Outcomes): Middleware {
  return {
    provideInlineCompletionItems: async (document, position, context, token) => {
      const client = session().running;
      if (client === undefined || toggles.off(document) !== undefined) {
        return null;
      }
      // The document may change before the answer is there.
      const spot = spotOf(document, position);
      const { result, offers } = await askForSuggestions(client, document, position, context, token);
      outcomes.served(spot, offers, context.triggerKind === InlineCompletionTriggerKind.Invoke);
      session().followArm(document);
      return result;
    },
  };
}
