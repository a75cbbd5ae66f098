// The status bar's item and the commands.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Editor } from "./harness/editor.ts";
import { scene } from "./harness/play.ts";
import { Stage, until } from "./harness/stage.ts";

const TEXT = "values = [1, 2]\n";
const CONFIGURED = "workspace/didChangeConfiguration";
const READY = (text: string) => text.startsWith("sparkle");

const test = scene(async () => {
  const names = ["one.py", "two.py", "three.py", "word.py", "stats.py", "again.py", "crash.py"];
  const stage = await Stage.set({
    answers: [
      { when_prefix_ends: "total = ", texts: ["sum(values)"] },
      { when_prefix_ends: "broken = ", error: "the engine is out of order" },
    ],
    files: { ...Object.fromEntries(names.map((name) => [name, TEXT])), "main.rs": "fn main() {}\n" },
    models: { default: "llama-q8_0.gguf" },
  });
  return { stage, editor: await Editor.open(stage) };
});

/** Types what the script answers, in a file that is opened, and waits for the answer. */
async function suggested(editor: Editor, file: string): Promise<void> {
  await editor.openFile(file);
  await editor.type("total = ");
  await editor.ghost("sum(values)");
}

test("the status bar says what is served, and explains itself", async ({ editor }) => {
  const said = await editor.status(READY);
  assert.equal(said, "sparkle Truefill: default | Truefill: default. `scripted` is ready on script.");
});

test("a click on it opens the menu", async ({ editor }) => {
  await editor.openFile("one.py");
  await editor.clickStatus();
  const entries = await editor.entries();
  for (const expected of ["Why is there no suggestion?", "Turn off in this file", "Turn off in python", "Statistics"]) {
    assert.ok(
      entries.some((entry) => entry.includes(expected)),
      `${expected} in ${entries}`,
    );
  }
  await editor.press("Escape");
});

test("turned off everywhere the program ends, and turned on it is back", async ({ stage, editor }) => {
  await editor.command("Truefill: Turn On or Off Everywhere");
  await editor.status((text) => text.includes("Truefill: off"));
  await stage.gone();
  await editor.openFile("one.py");
  await editor.type("total = ");
  assert.ok(await editor.noGhost());
  await editor.command("Truefill: Turn On or Off Everywhere");
  await editor.status(READY);
  await editor.openFile("one.py");
  await editor.type("\ntotal = ");
  await editor.ghost("sum(values)");
});

test("turned off in a language nothing is asked in it, and a button turns it on", async ({ stage, editor }) => {
  await suggested(editor, "two.py");
  const told = stage.sent(CONFIGURED).length;
  await editor.command("Truefill: Turn On or Off in This Language");
  await editor.status((text) => text.includes("Truefill: off here | Truefill: off here. Truefill is off in python."));
  await editor.ghost("");
  const asked = stage.sent("textDocument/inlineCompletion").length;
  await editor.type("\ntotal = ");
  assert.ok(await editor.noGhost());
  assert.equal(stage.sent("textDocument/inlineCompletion").length, asked);
  await editor.openFile("main.rs");
  await editor.status(READY);
  await editor.openFile("two.py");
  await editor.command("Truefill: Why Is There No Suggestion?");
  await editor.answer(await editor.message("Truefill is off in python."), "Turn On");
  await editor.openFile("two.py");
  await editor.status(READY);
  await editor.type("\ntotal = ");
  await editor.ghost("sum(values)");
  assert.equal(stage.sent(CONFIGURED).length, told, "the program's own list stays as it is");
});

test("turned off in a file nothing is asked there, and elsewhere it goes on", async ({ stage, editor }) => {
  await editor.openFile("three.py");
  await editor.command("Truefill: Turn On or Off in This File");
  await editor.status((text) => text.includes("Truefill: off here"));
  const before = stage.sent("textDocument/inlineCompletion").length;
  await editor.type("total = ");
  assert.ok(await editor.noGhost());
  assert.equal(stage.sent("textDocument/inlineCompletion").length, before);
  await suggested(editor, "again.py");
  await editor.openFile("three.py");
  await editor.command("Truefill: Why Is There No Suggestion?");
  await editor.answer(await editor.message("Truefill is off in this file."), "Turn On");
  await editor.openFile("three.py");
  await editor.type("\ntotal = ");
  await editor.ghost("sum(values)");
});

test("why there is no suggestion is said of the place and of the last request", async ({ editor }) => {
  await editor.openFile("word.py");
  await editor.press("Control+Home", "ArrowRight");
  await editor.command("Truefill: Why Is There No Suggestion?");
  await editor.message(/cursor is inside a word/);
  await editor.press("Control+End");
  await editor.type("broken = ");
  await editor.noGhost();
  await editor.command("Truefill: Why Is There No Suggestion?");
  await editor.message("the engine is out of order");
  await editor.clearMessages();
});

test("the prompt is shown as the model gets it, of a text that is not saved", async ({ stage, editor }) => {
  await editor.openFile("word.py");
  await editor.press("Control+End");
  await editor.type("\nunsaved = ");
  await editor.command("Truefill: Show the Prompt");
  await until("the prompt", async () => /SHA-256 [0-9a-f]{64}/.test(await editor.visibleText()));
  assert.match(await editor.visibleText(), /unsaved = /);
  assert.doesNotMatch(readFileSync(stage.file("word.py"), "utf8"), /unsaved = /);
});

test("the statistics count what was taken", async ({ editor }) => {
  const before = await accepted(editor);
  await suggested(editor, "stats.py");
  await editor.press("Tab");
  await editor.ghost("");
  await until("the statistics with what was accepted", async () => (await accepted(editor)) === before + 1);
});

/** How many suggestions were accepted in Python, as the page of the statistics says. */
async function accepted(editor: Editor): Promise<number> {
  await editor.command("Truefill: Show Statistics");
  const page = await editor.webview("How suggestions fare");
  const cells = (row: string) => page.locator("tr", { hasText: row }).first().locator("th, td").allTextContents();
  const at = (await cells("requested")).indexOf("accepted");
  assert.ok(at > 0, "a column of what was accepted");
  return Number.parseInt((await cells("python"))[at] ?? "0", 10);
}

test("it is restarted by a command", async ({ stage, editor }) => {
  const before = stage.calls("serve").length;
  await editor.command("Truefill: Restart");
  await until("another process", () => stage.calls("serve").length === before + 1);
  await editor.status(READY);
  await suggested(editor, "again.py");
});

test("a program that hangs is said to hang, and is ended by a restart", async ({ stage, editor }) => {
  await editor.openFile("one.py");
  const pid = stage.calls("serve").at(-1)?.pid ?? 0;
  process.kill(pid, "SIGSTOP");
  await editor.command("Truefill: Why Is There No Suggestion?");
  await editor.answer(await editor.message("The program has not answered for 8 s."), "Restart");
  await until("another process", () => stage.calls("serve").at(-1)?.pid !== pid);
  await editor.status(READY);
  process.kill(pid, "SIGCONT");
  await stage.gone([pid]);
});

test("the log is opened and says what was started", async ({ editor }) => {
  await editor.command("Truefill: Open the Log");
  await until("the log's lines", async () => {
    const lines = await editor.page.locator(".panel .view-line").allTextContents();
    const holds = (text: RegExp) => lines.some((line) => text.test(line.replaceAll("\u00a0", " ")));
    return holds(/\[info\] Starting \//) && holds(/\[info\] Truefill \d+\.\d+\.\d+ runs\./);
  });
  await editor.press("Control+J");
});

test("a program that crashes is started again, and knows the files that are open", async ({ stage, editor }) => {
  await editor.openFile("crash.py");
  const [running] = stage.calls("serve").slice(-1);
  process.kill(running?.pid ?? 0, "SIGKILL");
  await until("another process", () => stage.calls("serve").at(-1)?.pid !== running?.pid);
  await editor.status(READY);
  await editor.type("total = ");
  await editor.ghost("sum(values)");
  await editor.press("Tab");
  await editor.saved("crash.py", `${TEXT}total = sum(values)`);
});

test("one that crashes again and again is left alone, until the user starts it", async ({ stage, editor }) => {
  // The first of the five crashes is in the test before.
  for (let crash = 2; crash <= 5; crash += 1) {
    const [running] = stage.calls("serve").slice(-1);
    process.kill(running?.pid ?? 0, "SIGKILL");
    if (crash < 5) {
      await until("another process", () => stage.calls("serve").at(-1)?.pid !== running?.pid);
      await editor.status(READY);
    }
  }
  const message = await editor.message("Truefill ended unexpectedly five times and is not started again.");
  await editor.status((text) => text.startsWith("error Truefill: stopped"));
  await stage.gone();
  await editor.answer(message, "Restart");
  await editor.status(READY);
});
