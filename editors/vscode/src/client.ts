// The language client: how the program is started, and what is asked of it.
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import {
  type CancellationToken,
  type InlineCompletionContext,
  type InlineCompletionItem,
  type InlineCompletionList,
  type LogOutputChannel,
  type Position,
  type TextDocument,
} from "vscode";
import {
  CloseAction,
  ErrorAction,
  ErrorCodes,
  type InlineCompletionItem as ProtocolItem,
  InlineCompletionRequest,
  LanguageClient,
  type LanguageClientOptions,
  type Middleware,
  ResponseError,
  RevealOutputChannelOn,
  State,
} from "vscode-languageclient/node";
import type { Offer } from "./offers.ts";
import { Attempt, TooLate } from "./patience.ts";
import type { Program } from "./program.ts";
import { ServerProcess } from "./serverProcess.ts";

/** Schemes of documents that are given to the server. */
export const SCHEMES: readonly string[] = ["file", "untitled", "vscode-notebook-cell"];

/** Time that a program has to answer the first message. It reads settings before, and opens the model later. */
const STARTS_WITHIN_MS = 30_000;
/** Time that the last words of a program that ended are waited for. */
const SPEAKS_WITHIN_MS = 500;

export interface Hooks {
  log: LogOutputChannel;
  initializationOptions: unknown;
  middleware: Middleware;
  /** The program ended by itself after it had run. */
  ended: () => void;
}

/** A client that tells its failures to the log alone: the user hears of them once, from the session. */
export class Client extends LanguageClient {
  /** What the program said last on stderr, where that was no line of its log. */
  lastWords: string | undefined;
  /** When stderr is at its end. */
  silent: Promise<unknown> = Promise.resolve();
  private readonly process: ServerProcess;
  private readonly attempt = new Attempt();

  constructor(process: ServerProcess, options: LanguageClientOptions) {
    super("truefill", "Truefill", () => process.start(), options);
    this.process = process;
  }

  /** Starts the program, and ends it where it does not answer in time or is given up. */
  async begin(limit = STARTS_WITHIN_MS): Promise<void> {
    const { file } = this.process;
    const seconds = limit / 1000;
    const sentence =
      `\`${file}\` did not answer within ${seconds} s. ` +
      "Restart it, or name the program `truefill` by `truefill.server.path`";
    try {
      await this.attempt.of(this.start(), limit, sentence);
    } catch (error) {
      this.process.end();
      throw error;
    }
  }

  /** Whoever waits for the start waits no longer. */
  giveUp(): void {
    this.attempt.giveUp();
  }

  /** Asks the program to end, and ends it where it does not. */
  async end(): Promise<void> {
    if (!this.isRunning()) {
      return this.process.end();
    }
    try {
      await this.stop();
    } finally {
      this.process.endSoon();
    }
  }

  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }

  /** The program's own words on why it did not start. */
  async whyNotStarted(error: unknown): Promise<string> {
    if (isRefusal(error) || error instanceof TooLate) {
      return error.message;
    }
    await Promise.race([this.silent, new Promise((resolve) => setTimeout(resolve, SPEAKS_WITHIN_MS))]);
    return this.lastWords ?? (error instanceof Error ? error.message : String(error));
  }
}

/** Whether the program runs and refused the handshake, as it does with settings that cannot be used. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof ResponseError && error.code === ErrorCodes.InvalidParams;
}

/** A client of a program that is started once; starting it again needs another one. */
export function makeClient(program: Program, hooks: Hooks): Client {
  let ran = false;
  const process = new ServerProcess(program, (how) => hooks.log.info(`The program ended with ${how}.`));
  const options: LanguageClientOptions = {
    documentSelector: SCHEMES.map((scheme) => ({ scheme })),
    outputChannel: hooks.log,
    traceOutputChannel: hooks.log,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    initializationOptions: hooks.initializationOptions,
    initializationFailedHandler: () => {
      // Nobody else ends a program that runs and refuses.
      process.end();
      return false;
    },
    middleware: hooks.middleware,
    // The program's output is the protocol.
    stdioOptions: {
      stdout: () => {},
      stderr: (stream, log) => {
        client.silent = new Promise((resolve) => stream.once("close", resolve));
        logged(stream, log as LogOutputChannel, (complaint) => (client.lastWords = complaint));
      },
    },
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue }),
      closed: () => {
        // Who starts it hears by itself of one that never ran.
        if (ran) {
          hooks.ended();
        }
        return { action: CloseAction.DoNotRestart, handled: true };
      },
    },
  };
  const client = new Client(process, options);
  client.onDidChangeState(({ newState }) => {
    ran ||= newState === State.Running;
  });
  return client;
}

/** The program's log, line by line, at the level that a line names; what has none is a complaint. */
function logged(stderr: Readable, log: LogOutputChannel, complained: (sentence: string) => void): void {
  createInterface({ input: stderr, crlfDelay: Number.POSITIVE_INFINITY }).on("line", (line) => {
    const [, level, text = line] = /^\S+\s+(ERROR|WARN|INFO|DEBUG|TRACE)\s+(.*)$/.exec(line) ?? [];
    switch (level) {
      case "INFO":
        return log.info(text);
      case "DEBUG":
        return log.debug(text);
      case "TRACE":
        return log.trace(text);
      case "WARN":
        return log.warn(text);
      case "ERROR":
        return log.error(text);
      default:
        complained(line.replace(/^truefill: /, ""));
        return log.error(line);
    }
  });
}

export interface Asked {
  result: InlineCompletionItem[] | InlineCompletionList | null | undefined;
  offers: Offer<ProtocolItem>[];
}

/** Asks for suggestions, with the document's version so that the server can tell a late request. */
export async function askForSuggestions(
  client: LanguageClient,
  document: TextDocument,
  position: Position,
  context: InlineCompletionContext,
  token: CancellationToken,
): Promise<Asked> {
  const type = InlineCompletionRequest.type;
  const params = client.code2ProtocolConverter.asInlineCompletionParams(document, position, context);
  const versioned = { ...params, textDocument: { ...params.textDocument, version: document.version } };
  try {
    const reply = await client.sendRequest(type, versioned, token);
    if (token.isCancellationRequested) {
      return { result: null, offers: [] };
    }
    const items = Array.isArray(reply) ? reply : (reply?.items ?? []);
    const result = await client.protocol2CodeConverter.asInlineCompletionResult(reply, token);
    return { result, offers: items.flatMap(offer) };
  } catch (error) {
    // A message for every key that fails would be worse than none; the log has it.
    return { result: client.handleFailedRequest(type, token, error, null, false), offers: [] };
  }
}

function offer(item: ProtocolItem): Offer<ProtocolItem>[] {
  const id: unknown = item.command?.arguments?.[0];
  if (typeof id !== "string" || typeof item.insertText !== "string" || item.range === undefined) {
    return [];
  }
  return [{ id, insertText: item.insertText, start: item.range.start, item }];
}
