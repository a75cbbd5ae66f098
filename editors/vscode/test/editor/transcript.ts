// Replays editors/transcript/transcript.json with the real server and the default model:
// node transcript.ts TRANSCRIPT.json RESULT.json
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { closeBrowser, Editor } from "./harness/editor.ts";
import { Stage, until } from "./harness/stage.ts";

interface Transcript {
  settings: Record<string, Record<string, unknown>>;
  files: Record<string, string>;
  steps: Step[];
}

type Step =
  | { do: "open"; file: string }
  | { do: "cursor"; line: number; character: number }
  | { do: "type"; text: string }
  | { do: "ask" | "wait" | "dismiss" | "undo" | "save" }
  | { do: "accept"; what: keyof typeof ACCEPT };

const COMMIT = "editor.action.inlineSuggest.commit";
/** Tab is no key for it here: where the rest begins with indentation, the editor has it indent. */
const ACCEPT = { whole: "Alt+Enter", word: "Control+ArrowRight", line: "Control+Alt+ArrowRight" };

/** One window that goes through the steps. */
class Replay {
  private readonly stage: Stage;
  private readonly editor: Editor;
  private file = "";

  constructor(stage: Stage, editor: Editor) {
    this.stage = stage;
    this.editor = editor;
  }

  async step(step: Step): Promise<void> {
    const { editor } = this;
    switch (step.do) {
      case "open":
        this.file = step.file;
        return editor.openFile(step.file);
      case "cursor":
        return editor.goTo(step.line, step.character);
      case "type":
        return this.type(step.text);
      case "ask":
        await editor.ghost("");
        await editor.press("Alt+Backslash");
        return this.see();
      case "wait":
        return this.see();
      case "accept":
        await editor.anyGhost();
        return this.changing(ACCEPT[step.what]);
      case "dismiss":
        await editor.anyGhost();
        await editor.press("Escape");
        return editor.ghost("");
      case "undo":
        return this.changing("Control+Z");
      case "save":
        return this.save();
    }
  }

  /** A tab is put in as a character: its key indents as the editor thinks fit. */
  private async type(text: string): Promise<void> {
    for (const part of text.split(/(\t)/)) {
      await (part === "\t" ? this.editor.page.keyboard.insertText(part) : this.editor.type(part));
    }
  }

  private async see(): Promise<void> {
    console.error(`    ${JSON.stringify(await this.editor.anyGhost())}`);
  }

  private async changing(key: string): Promise<void> {
    const changes = () => this.stage.sent("textDocument/didChange").length;
    const before = changes();
    await this.editor.press(key);
    await until(`a change by ${key}`, () => changes() > before);
  }

  private async save(): Promise<void> {
    const saves = () => this.stage.sent("textDocument/didSave").length;
    const before = saves();
    await this.editor.press("Control+S");
    await until(`${this.file} on the disk`, () => saves() > before);
  }
}

const sha256 = (content: Buffer | string) => createHash("sha256").update(content).digest("hex");

/** The settings by their full names. */
function named(settings: Transcript["settings"]): Record<string, unknown> {
  const all = Object.entries(settings).flatMap(([section, keys]) =>
    Object.entries(keys).map(([key, value]) => [`truefill.${section}.${key}`, value] as const),
  );
  return Object.fromEntries(all);
}

async function replay({ settings, files, steps }: Transcript, folder: string) {
  const [home, workspace] = [join(folder, "truefill"), join(folder, "workspace")];
  rmSync(workspace, { recursive: true, force: true });
  const stage = await Stage.set({ model: true, files, home, workspace, keys: { [COMMIT]: "alt+enter" } });
  try {
    stage.machine({ ...named(settings), "truefill.server.path": stage.program });
    const before = existsSync(join(home, "journal.sqlite3")) ? await stage.rows(() => true) : [];
    const known = new Set(before.map((row) => row.session));
    const editor = await Editor.open(stage);
    const run = new Replay(stage, editor);
    for (const [at, step] of steps.entries()) {
      console.error(`  ${at + 1} ${JSON.stringify(step)}`);
      await run.step(step);
    }
    const texts = Object.keys(files).map((name) => [name, stage.read(name)] as const);
    await editor.command("Truefill: Turn On or Off Everywhere");
    await stage.gone();
    const rows = (await stage.rows(() => true, true)).filter((row) => !known.has(row.session));
    return { files: Object.fromEntries(texts.map(([name, text]) => [name, { text, sha256: sha256(text) }])), rows };
  } finally {
    await closeBrowser();
    await stage.end();
  }
}

const [source, out] = process.argv.slice(2);
if (source === undefined || out === undefined) {
  throw new Error("expected the transcript and the result's file");
}
const content = readFileSync(source);
const begun = Date.now();
const result = await replay(JSON.parse(content.toString()) as Transcript, dirname(out));
const told = { editor: "VS Code", transcript_sha256: sha256(content), ...result };
writeFileSync(out, `${JSON.stringify(told, null, 1)}\n`);
console.error(`VS Code: ${out} after ${Math.round((Date.now() - begun) / 1000)} s`);
