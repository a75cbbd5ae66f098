// The program's life: when it is started, stopped and told of settings, and what it said last.
import {
  commands,
  type Disposable,
  EventEmitter,
  type ExtensionContext,
  type LogOutputChannel,
  type TextDocument,
  type Uri,
  window,
  workspace,
} from "vscode";
import type { LanguageClient, Middleware } from "vscode-languageclient/node";
import { type Client, isRefusal, makeClient } from "./client.ts";
import { findInstalled, toRun } from "./installed.ts";
import type { Place } from "./offers.ts";
import { GivenUp, within } from "./patience.ts";
import { CommandFailed, json, type Program } from "./program.ts";
import {
  ACCEPT,
  type Arm,
  type Arms,
  type Prompt,
  PROMPT,
  type ServerStatus,
  STATUS,
  WHY,
  type WhyAnswer,
} from "./protocol.ts";
import { Seldom } from "./seldom.ts";
import { KEYS, madeSettings, restricted, type Sections, takesBack } from "./settings.ts";
import type { State } from "./statusText.ts";

/** Times that a program may end by itself within [`CRASH_WINDOW_MS`] before it is left alone. */
const CRASHES = 4;
const CRASH_WINDOW_MS = 180_000;

/** Time that the program has to answer a question of the user. */
const ANSWERS_WITHIN_MS = 8000;
const SILENT = `The program has not answered for ${ANSWERS_WITHIN_MS / 1000} s. If that stays so, restart it.`;

/** Told when a suggestion was accepted. */
export type Accepted = (id: string) => void;

export class Session implements Disposable {
  /** Something of what follows changed. */
  readonly changed = new EventEmitter<void>();
  state: State = { kind: "off" };
  server: ServerStatus | undefined;
  arms: readonly Arm[] = [];

  private client: Client | undefined;
  private readonly documents = new Map<string, ServerStatus>();
  private readonly documentArms = new Map<string, string>();
  /** A document's arm may change with every half hour. */
  private readonly armsFollowed = new Seldom(60_000);
  /** When it ended by itself. */
  private crashes: number[] = [];
  /** What the program was told at its start. */
  private initial: Sections = {};
  private last: Promise<void> = Promise.resolve();
  /** How often the user's will changed; a start that an older one asked for is none. */
  private will = 0;

  private readonly context: ExtensionContext;
  private readonly log: LogOutputChannel;
  private readonly middleware: Middleware;
  private readonly accepted: Accepted;

  constructor(context: ExtensionContext, log: LogOutputChannel, middleware: Middleware, accepted: Accepted) {
    this.context = context;
    this.log = log;
    this.middleware = middleware;
    this.accepted = accepted;
    context.subscriptions.push(
      workspace.onDidChangeConfiguration((event) => {
        // What the extension alone goes by is no reason to start a program that was left alone.
        if (["enabled", "server.path", ...KEYS].some((key) => event.affectsConfiguration(`truefill.${key}`))) {
          this.configured(event.affectsConfiguration("truefill.server.path"));
        }
      }),
      workspace.onDidGrantWorkspaceTrust(() => this.configured(false)),
      workspace.onDidCloseTextDocument((document) => this.forget(document)),
    );
  }

  /** The client, while the program answers. */
  get running(): LanguageClient | undefined {
    return this.state.kind === "running" && this.client?.isRunning() ? this.client : undefined;
  }

  /** The program, for commands that are run beside the server. */
  requireProgram(): Program {
    const found = findInstalled(this.context);
    if ("problem" in found) {
      throw new CommandFailed(found.problem);
    }
    return toRun(this.context, found.file);
  }

  start(): Promise<void> {
    const { will } = this;
    return this.queued(() => this.begin(will));
  }

  restart(): Promise<void> {
    const will = this.changeWill();
    return this.queued(async () => {
      await this.end();
      this.crashes = [];
      await this.begin(will);
    });
  }

  async dispose(): Promise<void> {
    this.changeWill();
    await this.queued(() => this.end());
  }

  /** What is being started is wanted no more, and nobody waits for it: it may never answer. */
  private changeWill(): number {
    if (this.state.kind === "starting") {
      this.client?.giveUp();
    }
    this.will += 1;
    return this.will;
  }

  /** What the server said about a document last. */
  statusOf(uri: Uri): ServerStatus | undefined {
    return this.documents.get(uri.toString());
  }

  /** The arm of a document, where the server tells it. */
  armOf(uri: Uri): string | undefined {
    return this.documentArms.get(uri.toString());
  }

  /** Why there is no suggestion; `position` where a place is meant. */
  async why(document: TextDocument, position?: Place): Promise<WhyAnswer | undefined> {
    return (
      this.running && within(this.ask<WhyAnswer>(this.running, WHY, document, position), ANSWERS_WITHIN_MS, SILENT)
    );
  }

  /** What the model gets at a place; what stands against it is thrown. */
  async prompt(document: TextDocument, position: Place): Promise<Prompt> {
    const client = this.running;
    if (client === undefined) {
      throw new CommandFailed("The program does not run.");
    }
    try {
      return await within(this.ask<Prompt>(client, PROMPT, document, position), ANSWERS_WITHIN_MS, SILENT);
    } catch (error) {
      throw new CommandFailed(error instanceof Error ? error.message : String(error));
    }
  }

  private ask<T>(client: LanguageClient, command: string, document: TextDocument, position?: Place): Promise<T> {
    const uri = client.code2ProtocolConverter.asUri(document.uri);
    const place = position && { line: position.line, character: position.character };
    const parameters = place === undefined ? [uri] : [uri, place];
    return client.sendRequest<T>("workspace/executeCommand", { command, arguments: parameters });
  }

  /** Asks for the document's arm again where it may have another one by now. */
  followArm(document: TextDocument): void {
    if (this.arms.length > 1 && this.armsFollowed.due(document.uri.toString())) {
      void this.refreshArm(document);
    }
  }

  /** Asks the server for the document's arm, where there are several. */
  async refreshArm(document: TextDocument): Promise<void> {
    if (this.arms.length < 2 || this.running === undefined) {
      return;
    }
    const answer = await this.why(document).catch(() => undefined);
    if (answer?.arm) {
      this.documentArms.set(document.uri.toString(), answer.arm.name);
      this.changed.fire();
    }
  }

  /** One after the other, so that a start never meets a stop. */
  private queued(work: () => Promise<void>): Promise<void> {
    const next = this.last.then(work);
    this.last = next.catch((error: unknown) => {
      this.log.error(String(error));
      this.become({ kind: "failed", problem: `Truefill could not be started: ${error}` });
    });
    return this.last;
  }

  private async begin(will: number): Promise<void> {
    if (will !== this.will) {
      return;
    }
    if (!workspace.getConfiguration("truefill").get("enabled", true)) {
      return this.become({ kind: "off" });
    }
    const found = findInstalled(this.context);
    if ("problem" in found) {
      this.become({ kind: "missing", problem: found.problem });
      return void this.tellMissing(found.problem);
    }
    this.log.info(`Starting ${found.file} (${found.origin}).`);
    this.become({ kind: "starting" });
    await this.connect(toRun(this.context, found.file));
  }

  private async connect(program: Program): Promise<void> {
    this.initial = this.settings();
    const client = makeClient(program, {
      log: this.log,
      initializationOptions: this.initial,
      middleware: { ...this.middleware, executeCommand: (...call) => this.executed(...call) },
      ended: () => this.ended(client),
    });
    this.client = client;
    client.onNotification(STATUS, (status: ServerStatus) => this.told(status));
    try {
      await client.begin();
      this.log.info(`Truefill ${client.initializeResult?.serverInfo?.version ?? "of no version"} runs.`);
      this.become({ kind: "running" });
    } catch (error) {
      if (error instanceof GivenUp) {
        return;
      }
      const problem = `Truefill could not be started: ${await client.whyNotStarted(error)}.`.replace(/\.\.$/, ".");
      this.become({ kind: "failed", problem });
      void this.tellFailed(problem, isRefusal(error));
    }
  }

  private async end(): Promise<void> {
    const client = this.client;
    this.forgetProgram();
    this.become({ kind: "off" });
    if (client !== undefined) {
      await client.end().catch((error: unknown) => this.log.warn(`The program did not end as asked: ${error}`));
    }
  }

  /** The program ended by itself. */
  private ended(client: Client): void {
    if (this.client !== client) {
      return;
    }
    this.forgetProgram();
    const now = Date.now();
    this.crashes = [...this.crashes.filter((at) => now - at < CRASH_WINDOW_MS), now];
    if (this.crashes.length <= CRASHES) {
      this.log.warn("The program ended unexpectedly and is started again.");
      this.become({ kind: "starting" });
      return void this.start();
    }
    const problem = "Truefill ended unexpectedly five times and is not started again.";
    this.become({ kind: "failed", problem });
    void this.tellFailed(problem, false);
  }

  private async executed(
    command: string,
    parameters: unknown[],
    next: (command: string, parameters: unknown[]) => unknown,
  ) {
    if (command === ACCEPT && typeof parameters[0] === "string") {
      this.accepted(parameters[0]);
    }
    return next(command, parameters);
  }

  private told(status: ServerStatus): void {
    if (status.uri === undefined) {
      this.server = status;
      void this.refreshArms();
    } else {
      const uri = this.client?.protocol2CodeConverter.asUri(status.uri).toString() ?? status.uri;
      this.documents.set(uri, status);
    }
    this.changed.fire();
  }

  private async refreshArms(): Promise<void> {
    try {
      this.arms = (await json<Arms>(this.requireProgram(), ["arms", "show", "--json"])).arms;
    } catch (error) {
      this.log.warn(`The arms are not known: ${error instanceof Error ? error.message : error}`);
      this.arms = [];
    }
    this.documentArms.clear();
    const document = window.activeTextEditor?.document;
    if (document) {
      await this.refreshArm(document);
    }
    this.changed.fire();
  }

  /** What the server is to be told now. */
  private settings(): Sections {
    const configuration = workspace.getConfiguration("truefill");
    const made = madeSettings((key) => configuration.inspect(key));
    return workspace.isTrusted ? made : restricted(made);
  }

  private configured(otherProgram: boolean): void {
    const enabled = workspace.getConfiguration("truefill").get("enabled", true);
    const settings = this.settings();
    const client = this.running;
    if (
      enabled !== (this.state.kind !== "off") ||
      otherProgram ||
      client === undefined ||
      takesBack(this.initial, settings)
    ) {
      void this.restart();
    } else {
      const params = { settings: { truefill: settings } };
      client
        .sendNotification("workspace/didChangeConfiguration", params)
        .catch((error: unknown) => this.log.error(String(error)));
    }
  }

  private become(state: State): void {
    this.state = state;
    void commands.executeCommand("setContext", "truefill.running", state.kind === "running");
    this.changed.fire();
  }

  private forgetProgram(): void {
    this.client = undefined;
    this.server = undefined;
    this.documents.clear();
    this.documentArms.clear();
  }

  private forget(document: TextDocument): void {
    this.documents.delete(document.uri.toString());
    this.documentArms.delete(document.uri.toString());
    this.armsFollowed.forget(document.uri.toString());
  }

  private async tellMissing(problem: string): Promise<void> {
    const [choose, how] = ["Choose the Program", "Get Started"];
    const chosen = await window.showErrorMessage(problem, choose, how);
    if (chosen !== undefined) {
      await commands.executeCommand(chosen === choose ? "truefill.locateProgram" : "truefill.openWalkthrough");
    }
  }

  private async tellFailed(problem: string, settings: boolean): Promise<void> {
    const [log, other] = ["Open Log", settings ? "Open Settings" : "Restart"];
    const chosen = await window.showErrorMessage(problem, log, other);
    if (chosen === log) {
      this.log.show();
    } else if (chosen === other) {
      await (settings ? commands.executeCommand("workbench.action.openSettings", "truefill.") : this.restart());
    }
  }
}
