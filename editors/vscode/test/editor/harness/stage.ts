// A fresh home, a fresh workspace and an editor server, for one group of tests.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { codeServer, defaultStore, extension, PATIENCE, tinyModels, truefill, vsix } from "./places.ts";

/** An answer of the scripted engine; `server/src/engine/scripted.rs` documents the form. */
export interface Answer {
  when_prefix_ends?: string;
  texts?: string[];
  prefill_ms?: number;
  error?: string;
  panic?: boolean;
  times?: number;
}

export interface Setting {
  /** What the scripted engine answers; without it a model does. */
  answers?: Answer[];
  /** Further fields of the script, such as `load_error`. */
  script?: object;
  /** Files of the workspace, by their names. */
  files?: Record<string, string>;
  /** The user's settings. */
  settings?: Record<string, unknown>;
  /** The user's keys, by the commands that they run. */
  keys?: Record<string, string>;
  /** Settings of the machine; without them the program is named and the question about the journal is settled. */
  machine?: Record<string, unknown>;
  /** Whether the program is in PATH. */
  inPath?: boolean;
  /** Whether the editor asks for trust. */
  trust?: boolean;
  /** The package to install instead of the one without a program. */
  vsix?: string;
  /** Whether the program in the package is replaced by one that runs what stands in for it. */
  standIn?: boolean;
  /** Whether the store with the default model is used, and not an empty one. */
  model?: boolean;
  /** Tiny models of the repository in the store, by their names there. */
  models?: Record<string, string>;
  /** The folders of the program and of the workspace, where they are to outlive the test. */
  home?: string;
  workspace?: string;
}

/** Settings under which nothing but Truefill writes text, and nothing else asks for attention. */
const QUIET = {
  "chat.disableAIFeatures": true,
  "editor.acceptSuggestionOnEnter": "off",
  "editor.autoClosingBrackets": "never",
  "editor.autoClosingQuotes": "never",
  "editor.autoIndent": "none",
  "editor.formatOnType": false,
  "editor.linkedEditing": false,
  "editor.minimap.enabled": false,
  "editor.parameterHints.enabled": false,
  "editor.quickSuggestions": { other: "off", comments: "off", strings: "off" },
  "editor.suggestOnTriggerCharacters": false,
  "editor.tabSize": 4,
  "editor.trimAutoWhitespace": false,
  "editor.wordBasedSuggestions": "off",
  "extensions.ignoreRecommendations": true,
  "files.autoSave": "off",
  "git.enabled": false,
  "telemetry.telemetryLevel": "off",
  "window.commandCenter": false,
  // What pops up under the mouse would be clicked instead of what lies below.
  "workbench.hover.delay": 60_000,
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.startupEditor": "none",
  "workbench.tips.enabled": false,
};

/** The same of the settings that are the machine's. */
const QUIET_MACHINE = { "workbench.welcomePage.walkthroughs.openOnInstall": false };

export class Stage {
  readonly folder = mkdtempSync(join(tmpdir(), "truefill-editor-"));
  readonly home: string;
  readonly workspace: string;
  readonly userData = join(this.folder, "user-data");
  readonly program = join(this.folder, "program", "truefill");
  url = "";
  private readonly setting: Setting;
  private process: ChildProcess | undefined;
  private output = "";

  private constructor(setting: Setting) {
    this.setting = setting;
    this.home = setting.home ?? join(this.folder, "home");
    this.workspace = setting.workspace ?? join(this.folder, "workspace");
  }

  static async set(setting: Setting = {}): Promise<Stage> {
    const stage = new Stage(setting);
    stage.lay();
    stage.install();
    await stage.start();
    return stage;
  }

  file(name: string): string {
    return join(this.workspace, name);
  }

  read(name: string): string {
    return readFileSync(this.file(name), "utf8");
  }

  /** Changes the user's settings; the editor sees it by itself. */
  settings(settings: Record<string, unknown>): void {
    writeJson(join(this.userData, "User", "settings.json"), { ...QUIET, ...this.setting.settings, ...settings });
  }

  /** Changes the machine's settings. */
  machine(settings: Record<string, unknown>): void {
    writeJson(join(this.userData, "Machine", "settings.json"), { ...QUIET_MACHINE, ...settings });
  }

  readMachine(): Record<string, unknown> {
    return JSON.parse(readFileSync(join(this.userData, "Machine", "settings.json"), "utf8"));
  }

  /** Runs the program as a user of the terminal would. */
  truefill(...parameters: string[]): string {
    return execFileSync(truefill(), parameters, { env: this.environment(), encoding: "utf8", maxBuffer: 1 << 28 });
  }

  /** The journal's rows once they are so; what is written reaches the disk within a moment. */
  async rows(fits: (rows: Row[]) => boolean, code = false): Promise<Row[]> {
    return until("rows of the journal", () => {
      if (!existsSync(join(this.home, "journal.sqlite3"))) {
        return undefined;
      }
      const lines = this.truefill("journal", "export", ...(code ? ["--with-code"] : [])).split("\n");
      const rows = lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Row);
      return fits(rows) ? rows : undefined;
    });
  }

  /** Messages between the editor and the program so far. */
  messages(): Passed[] {
    return lines(join(this.folder, "messages.jsonl")) as Passed[];
  }

  /** The parameters of messages that the editor has sent. */
  sent(method: string): any[] {
    const own = this.messages().filter(({ from, message }) => from === "client" && message.method === method);
    return own.map(({ message }) => message.params);
  }

  /** Waits until the editor has sent a message that fits. */
  async sentOnce(method: string, fits: (params: any) => boolean = () => true): Promise<any> {
    return until(`\`${method}\` from the editor`, () => this.sent(method).find(fits));
  }

  /** The commands that were run of the program. */
  calls(command: string): Call[] {
    const all = lines(join(this.folder, "calls.jsonl")) as Call[];
    return all.filter(({ parameters }) => parameters.join(" ").startsWith(command));
  }

  /** Waits until no server runs, or none of these. */
  async gone(pids?: number[]): Promise<void> {
    const all = () => pids ?? this.calls("serve").map(({ pid }) => pid);
    await until("the end of the program", () => all().every((pid) => !signal(pid, 0)));
  }

  async end(): Promise<void> {
    const pid = this.process?.pid;
    if (pid !== undefined) {
      // All that it started is in its group.
      signal(-pid, "SIGTERM");
      await until("the end of the editor's server", () => !signal(-pid, 0), 2000).catch(() => signal(-pid, "SIGKILL"));
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  private lay(): void {
    const { answers, script, files = {}, machine, models = {} } = this.setting;
    for (const folder of [this.home, this.workspace, dirname(this.program)]) {
      mkdirSync(folder, { recursive: true });
    }
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(this.file(name)), { recursive: true });
      writeFileSync(this.file(name), text);
    }
    const scripted = join(this.folder, "script.json");
    writeJson(scripted, { answers: answers ?? [], ...script });
    const config = join(this.folder, "shim.json");
    writeJson(config, {
      truefill: truefill(),
      serve: answers || script ? ["--engine", `scripted:${scripted}`] : [],
      messages: join(this.folder, "messages.jsonl"),
      calls: join(this.folder, "calls.jsonl"),
    });
    const shim = join(extension, "test/editor/harness/shim.mjs");
    writeFileSync(this.program, `#!/bin/sh\nexec "${process.execPath}" "${shim}" "${config}" "$@"\n`);
    chmodSync(this.program, 0o755);
    this.settings({});
    const keys = Object.entries(this.setting.keys ?? {}).map(([command, key]) => ({ command, key }));
    writeJson(join(this.userData, "User", "keybindings.json"), keys);
    this.machine(machine ?? { "truefill.server.path": this.program, "truefill.journal.context": false });
    for (const [name, file] of Object.entries(models)) {
      this.truefill("models", "pull", join(tinyModels, file), "--name", name);
    }
  }

  private environment(): NodeJS.ProcessEnv {
    const { inPath = false, model = false } = this.setting;
    const PATH = `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`;
    return {
      ...process.env,
      HOME: this.folder,
      PATH: inPath ? `${dirname(this.program)}:${PATH}` : PATH,
      TRUEFILL_HOME: this.home,
      TRUEFILL_STORE: model ? defaultStore() : join(this.folder, "store"),
      TRUEFILL_SHIM: this.program,
    };
  }

  private arguments(): string[] {
    return ["--user-data-dir", this.userData, "--extensions-dir", join(this.folder, "extensions")];
  }

  private install(): void {
    const parameters = [codeServer(), ...this.arguments(), "--install-extension", this.setting.vsix ?? vsix()];
    execFileSync(process.execPath, parameters, { env: this.environment(), encoding: "utf8" });
    if (this.setting.standIn) {
      const [own] = readdirSync(join(this.folder, "extensions")).filter((name) =>
        name.startsWith("truefill.truefill-"),
      );
      const file = join(this.folder, "extensions", own ?? "", "bin", "truefill");
      cpSync(join(extension, "test/editor/harness/packed.sh"), file);
    }
  }

  private async start(): Promise<void> {
    const port = await freePort();
    const trust = this.setting.trust ? [] : ["--disable-workspace-trust"];
    const quiet = ["--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"];
    const parameters = ["--auth", "none", "--bind-addr", `127.0.0.1:${port}`, ...quiet, ...trust, ...this.arguments()];
    this.process = spawn(process.execPath, [codeServer(), ...parameters], {
      env: this.environment(),
      stdio: "pipe",
      detached: true,
      // Where a user of the terminal starts it.
      cwd: this.workspace,
    });
    const keep = (text: string) => {
      this.output = (this.output + text).slice(-20_000);
    };
    this.process.stdout?.setEncoding("utf8").on("data", keep);
    this.process.stderr?.setEncoding("utf8").on("data", keep);
    this.url = `http://127.0.0.1:${port}/?folder=${encodeURIComponent(this.workspace)}`;
    await until("the editor's server", async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
      return answer?.ok;
    }).catch((error: Error) => {
      throw new Error(`${error.message}; it wrote:\n${this.output}`);
    });
  }
}

/** A command of the program that was run. */
export interface Call {
  parameters: string[];
  pid: number;
  /** The folder that it ran in. */
  cwd: string;
}

/** A row of `truefill journal export`, as far as tests read it. */
export interface Row {
  id: string;
  session: string;
  arm: string;
  language: string;
  trigger: string;
  silence?: string | null;
  completion?: { text: string } | null;
  outcomes: { event: string; extent?: string; chars?: number; reason?: string; inferred?: boolean }[];
  [key: string]: unknown;
}

/** A message between the editor and the program. */
export interface Passed {
  from: "client" | "server";
  at: number;
  message: any;
}

/** Waits until `look` finds something. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  patience = PATIENCE,
): Promise<T> {
  const end = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) {
      return found;
    }
    if (Date.now() > end) {
      throw new Error(`${what} did not come within ${patience} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Whether there is such a process or group, to which the signal goes. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

function lines(file: string): unknown[] {
  if (!existsSync(file)) {
    return [];
  }
  // The last line may be half written.
  const whole = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return whole.map((line) => JSON.parse(line));
}

function writeJson(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(value, null, 2));
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
