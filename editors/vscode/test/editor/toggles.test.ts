// What turning off holds for: languages that the program has off, notebooks, documents without a file, other names.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Editor } from "./harness/editor.ts";
import { scene } from "./harness/play.ts";
import { Stage } from "./harness/stage.ts";

const TEXT = "values = [1, 2]\n";
const READY = (text: string) => text.startsWith("sparkle");
const OFF_HERE = (text: string) => text.includes("Truefill is off in this file.");
const HERE = "Truefill: Turn On or Off in This File";
const LANGUAGE = "Truefill: Turn On or Off in This Language";

const cell = (source: string) => ({ cell_type: "code", execution_count: null, metadata: {}, outputs: [], source });
const NOTEBOOK = {
  cells: [cell("values = [1, 2]\n"), cell("other = 1\n")],
  metadata: { language_info: { name: "python" } },
  nbformat: 4,
  nbformat_minor: 5,
};

const test = scene(async () => {
  const stage = await Stage.set({
    answers: [{ when_prefix_ends: "total = ", texts: ["sum(values)"] }],
    files: { "one.py": TEXT, "old.py": TEXT, "main.rs": "fn main() {}\n", "book.ipynb": JSON.stringify(NOTEBOOK) },
    keys: {
      "workbench.action.files.newUntitledFile": "ctrl+alt+u",
      "workbench.action.closeActiveEditor": "ctrl+alt+q",
    },
  });
  writeFileSync(join(stage.home, "truefill.toml"), '[suggest]\ndisabled_languages = ["rust"]\n');
  return { stage, editor: await Editor.open(stage) };
});

test("a language that truefill.toml has off stays so, and it says where that is", async ({ stage, editor }) => {
  await editor.openFile("main.rs");
  await editor.type("// total = ");
  await editor.status((text) => text.includes("`rust` is in `suggest.disabled_languages`"));
  await editor.clickStatus();
  assert.ok((await editor.entries()).some((entry) => entry.includes("Turn on in rust")));
  await editor.press("Escape");
  await editor.command(LANGUAGE);
  await editor.message("`rust` is in `suggest.disabled_languages` of `truefill.toml`.");
  await editor.clearMessages();
  await editor.openFile("one.py");
  await editor.command(LANGUAGE);
  await editor.status((text) => text.includes("Truefill is off in python."));
  await editor.openFile("main.rs");
  await editor.type("\n// total = ");
  assert.ok(await editor.noGhost(), "turning Python off turned Rust on");
  assert.deepEqual(stage.sent("workspace/didChangeConfiguration"), []);
  await editor.openFile("one.py");
  await editor.command(LANGUAGE);
  await editor.status(READY);
  await editor.type("total = ");
  await editor.ghost("sum(values)");
  await editor.press("Escape");
});

test("a notebook is one file", async ({ stage, editor }) => {
  const { page } = editor;
  await editor.press("Control+P");
  await page.locator(".quick-input-widget input").fill("book.ipynb");
  await page.locator(".quick-input-list .monaco-list-row.focused").filter({ hasText: "book.ipynb" }).waitFor();
  await editor.press("Enter");
  const cells = page.locator(".notebookOverlay .cell .monaco-editor");
  await cells.first().click();
  await editor.status(READY);
  await editor.command(HERE);
  await editor.status(OFF_HERE);
  await cells.nth(1).click();
  await editor.press("Control+End");
  const asked = stage.sent("textDocument/inlineCompletion").length;
  await editor.type("total = ");
  await page.waitForTimeout(1000);
  await editor.status(OFF_HERE);
  assert.equal(stage.sent("textDocument/inlineCompletion").length, asked);
  await editor.command(HERE);
  await editor.status(READY);
  await editor.press("Control+S");
});

test("a document without a file is off until it is closed", async ({ editor }) => {
  const name = editor.page.locator('.tab.active[data-resource-name="Untitled-1"]');
  await editor.press("Control+Alt+U");
  await editor.opened("Untitled-1");
  await editor.status(READY);
  await editor.command(HERE);
  await editor.status(OFF_HERE);
  await editor.press("Control+Alt+Q");
  await name.waitFor({ state: "detached" });
  await editor.press("Control+Alt+U");
  await editor.opened("Untitled-1");
  // The status bar may still speak of the document before.
  await editor.type("total = ");
  await editor.ghost("sum(values)");
});

test("a file that gets another name stays off", async ({ stage, editor }) => {
  await editor.openFile("old.py");
  await editor.status(READY);
  await editor.command(HERE);
  await editor.status(OFF_HERE);
  await editor.command("File: Reveal Active File in Explorer View");
  await editor.page.locator(".explorer-folders-view .monaco-list-row.focused", { hasText: "old.py" }).waitFor();
  await editor.press("F2");
  const input = editor.page.locator(".explorer-folders-view .monaco-inputbox input");
  await input.fill("new.py");
  await editor.press("Enter");
  await editor.page.locator('.tab.active[data-resource-name="new.py"]').waitFor();
  await editor.status(OFF_HERE);
  assert.equal(stage.read("new.py"), TEXT);
});
