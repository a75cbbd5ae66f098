// Ghost text, and what the editor tells of it.
import assert from "node:assert/strict";
import { Editor } from "./harness/editor.ts";
import { scene } from "./harness/play.ts";
import { type Row, Stage } from "./harness/stage.ts";

const ANSWERS = [
  { when_prefix_ends: "total = ", texts: ["sum(values)"] },
  { when_prefix_ends: "area = ", texts: ["width * height"] },
  { when_prefix_ends: "best = ", texts: ["max(values)", "min(values)", "first(values)"] },
  {
    when_prefix_ends: "def mean(values):\n",
    texts: ["    total = 0\n    for value in values:\n        total += value\n    return total\n"],
  },
  { when_prefix_ends: "pick = ", texts: ["choose(1)", "choose(2)"] },
  { when_prefix_ends: "total_of_values", texts: ["(values)"] },
  { when_prefix_ends: "# stop = ", texts: ["here"] },
  { when_prefix_ends: "face = ", texts: ["'😀 smile' + end"] },
];

const test = scene(async () => {
  const names = [
    "whole.py",
    "word.py",
    "line.py",
    "cycle.py",
    "dismiss.py",
    "through.py",
    "alike.py",
    "typed.py",
    "find.py",
    "emoji.py",
  ];
  const files = Object.fromEntries(names.map((name) => [name, "values = [1, 2]\n"]));
  const stage = await Stage.set({
    answers: ANSWERS,
    files: { ...files, "crlf.py": "values = [1, 2]\r\n", "menu.py": "total_of_values = len\n" },
    settings: { "editor.wordBasedSuggestions": "currentDocument" },
  });
  return { stage, editor: await Editor.open(stage) };
});

/** Waits for the row of a suggestion of which an outcome is known. */
async function row(stage: Stage, id: string, event: string): Promise<Row> {
  const rows = await stage.rows((all) =>
    all.some((it) => it.id === id && it.outcomes.some((outcome) => outcome.event === event)),
  );
  return rows.find((it) => it.id === id) as Row;
}

/** The suggestion that was sent last with this text. */
function served(stage: Stage, text: string): string {
  const replies = stage.messages().filter(({ from, message }) => from === "server" && message.result?.items);
  const items = replies.flatMap(({ message }) => message.result.items).filter((item) => item.insertText === text);
  return items.at(-1)?.command.arguments[0];
}

test("Tab takes the whole of it, and the journal knows", async ({ stage, editor }) => {
  await editor.openFile("whole.py");
  await editor.type("total = ");
  await editor.ghost("sum(values)");
  await editor.press("Tab");
  await editor.ghost("");
  await editor.saved("whole.py", "values = [1, 2]\ntotal = sum(values)");
  const { outcomes, trigger, language } = await row(stage, served(stage, "sum(values)"), "accepted");
  assert.deepEqual([trigger, language], ["automatic", "python"]);
  const accepted = outcomes.filter((outcome) => outcome.event === "accepted");
  assert.deepEqual(
    accepted.map(({ extent, chars, inferred }) => [extent, chars, inferred ?? false]),
    [["whole", 11, false]],
  );
  assert.ok(
    outcomes.some(({ event, inferred }) => event === "shown" && !inferred),
    "what is taken was seen",
  );
  const asked = stage.sent("textDocument/inlineCompletion").at(-1);
  assert.ok(asked.textDocument.version > 1, "requests name the document's version");
});

test("a word is taken by a key, and how much is told", async ({ stage, editor }) => {
  await editor.openFile("word.py");
  await editor.type("area = ");
  await editor.ghost("width * height");
  await editor.press("Control+ArrowRight");
  await editor.ghost(" * height");
  const first = await stage.sentOnce("textDocument/didPartiallyAcceptCompletion");
  assert.deepEqual([first.acceptedLength, first.item.insertText], [5, "width * height"]);
  await editor.press("Control+ArrowRight");
  await editor.ghost("* height");
  await editor.press("Tab");
  await editor.saved("word.py", "values = [1, 2]\narea = width * height");
  const id = served(stage, "width * height");
  const found = await stage.rows((rows) =>
    rows.some((it) => it.id === id && it.outcomes.some(({ extent }) => extent === "whole")),
  );
  const { outcomes } = found.find((it) => it.id === id) as Row;
  const accepted = outcomes
    .filter((outcome) => outcome.event === "accepted")
    .map(({ extent, chars }) => [extent, chars]);
  assert.deepEqual(accepted, [
    ["word", 5],
    ["word", 6],
    ["whole", 14],
  ]);
});

test("a word that is an emoji is not told as the word before it", async ({ stage, editor }) => {
  await editor.openFile("emoji.py");
  await editor.type("face = ");
  await editor.anyGhost();
  const parts = () =>
    stage
      .sent("textDocument/didPartiallyAcceptCompletion")
      .filter(({ item }) => item.insertText.includes("smile"))
      .map(({ item, acceptedLength }) => [item.insertText, acceptedLength]);
  await editor.press("Control+ArrowRight");
  await editor.ghost("😀 smile' + end");
  await editor.press("Control+ArrowRight");
  await editor.saved("emoji.py", "values = [1, 2]\nface = '😀");
  assert.deepEqual(parts(), [["'😀 smile' + end", 1]]);
});

test("a line is taken by a key", async ({ stage, editor }) => {
  await editor.openFile("line.py");
  await editor.type("def mean(values):\n");
  await editor.ghost("    total = 0\n    for value in values:\n        total += value\n    return total");
  await editor.press("Control+Alt+ArrowRight");
  const part = await stage.sentOnce("textDocument/didPartiallyAcceptCompletion", ({ item }) =>
    item.insertText.includes("for value"),
  );
  assert.equal(part.acceptedLength, "    total = 0\n".length);
  const { outcomes } = await row(stage, part.item.command.arguments[0], "accepted");
  assert.ok(
    outcomes.some(({ extent, chars }) => extent === "line" && chars === part.acceptedLength),
    JSON.stringify(outcomes),
  );
  await editor.saved("line.py", /def mean\(values\):\n    total = 0\n$/);
});

test("the last word ends the suggestion as a whole", async ({ stage, editor }) => {
  await editor.openFile("through.py");
  await editor.type("# stop = ");
  await editor.ghost("here");
  await editor.press("Control+ArrowRight");
  await editor.ghost("");
  const { outcomes } = await row(stage, served(stage, "here"), "accepted");
  assert.deepEqual(
    outcomes.filter(({ event }) => event === "accepted").map(({ extent, chars }) => [extent, chars]),
    [["whole", 4]],
  );
});

test("alternatives are leafed through, are known as shown, and the one that is taken is told", async ({
  stage,
  editor,
}) => {
  await editor.openFile("cycle.py");
  await editor.type("best = ");
  await editor.ghost("max(values)");
  await editor.press("Alt+BracketRight");
  await editor.ghost("min(values)");
  await editor.press("Alt+BracketRight");
  await editor.ghost("first(values)");
  await editor.press("Alt+BracketRight");
  await editor.ghost("max(values)");
  await editor.press("Alt+BracketLeft");
  await editor.ghost("first(values)");
  await editor.press("Control+ArrowRight");
  await editor.ghost("(values)");
  await editor.press("Tab");
  await editor.saved("cycle.py", "values = [1, 2]\nbest = first(values)");
  const shown = stage.sent("textDocument/didShowCompletion").map(({ item }) => item.insertText);
  const own = ["first(values)", "max(values)", "min(values)"];
  assert.deepEqual([...new Set(shown)].filter((text) => own.includes(text)).sort(), own);
  const id = served(stage, "first(values)");
  const { outcomes, trigger } = await row(stage, id, "accepted");
  assert.equal(trigger, "invoked");
  assert.deepEqual(
    outcomes.filter(({ event }) => event === "accepted").map(({ chars }) => chars),
    [5, 13],
  );
});

test("of alternatives that begin alike the one that is shown is told", async ({ stage, editor }) => {
  await editor.openFile("alike.py");
  await editor.type("pick = ");
  await editor.ghost("choose(1)");
  await editor.press("Alt+BracketRight");
  await editor.ghost("choose(2)");
  await editor.press("Control+ArrowRight");
  const part = await stage.sentOnce("textDocument/didPartiallyAcceptCompletion", ({ item }) =>
    item.insertText.startsWith("choose"),
  );
  assert.deepEqual([part.item.insertText, part.acceptedLength], ["choose(2)", 6]);
});

test("Escape turns it down, and it does not come back with the next key", async ({ stage, editor }) => {
  await editor.openFile("dismiss.py");
  await editor.type("total = ");
  await editor.ghost("sum(values)");
  const id = served(stage, "sum(values)");
  await editor.press("Escape");
  await editor.ghost("");
  const { id: told, reason } = await stage.sentOnce("truefill/didReject");
  assert.deepEqual([told, reason], [id, "dismissed"]);
  const { outcomes } = await row(stage, id, "rejected");
  const rejected = outcomes.find(({ event }) => event === "rejected");
  assert.deepEqual([rejected?.reason, rejected?.inferred ?? false], ["dismissed", false]);
  await editor.type("s");
  assert.ok(await editor.noGhost());
});

test("keys that are meant for the find widget stay there", async ({ stage, editor }) => {
  await editor.openFile("find.py");
  await editor.type("total = ");
  await editor.ghost("sum(values)");
  const told = () =>
    stage.sent("truefill/didReject").length + stage.sent("textDocument/didPartiallyAcceptCompletion").length;
  const before = told();
  await editor.press("Control+F");
  const find = editor.page.locator(".find-widget.visible");
  await find.locator("textarea:focus, input:focus").first().waitFor();
  await editor.ghost("sum(values)");
  await editor.press("Escape");
  await find.waitFor({ state: "hidden" });
  await editor.ghost("sum(values)");
  assert.equal(told(), before);
  await editor.press("Tab");
  await editor.saved("find.py", "values = [1, 2]\ntotal = sum(values)");
});

test("while it is typed, the rest stays", async ({ stage, editor }) => {
  await editor.openFile("typed.py");
  await editor.type("total = ");
  await editor.ghost("sum(values)");
  const id = served(stage, "sum(values)");
  await editor.type("sum(", 80);
  await editor.ghost("values)");
  await editor.press("Tab");
  await editor.saved("typed.py", "values = [1, 2]\ntotal = sum(values)");
  const { outcomes } = await row(stage, id, "accepted");
  assert.ok(
    outcomes.some(({ event }) => event === "typed_through"),
    JSON.stringify(outcomes),
  );
});

test("in a file of Windows' line ends parts are counted in the suggestion's own text", async ({ stage, editor }) => {
  await editor.openFile("crlf.py");
  await editor.type("def mean(values):\n");
  await editor.anyGhost();
  const before = stage.sent("textDocument/didPartiallyAcceptCompletion").length;
  await editor.press("Control+Alt+ArrowRight");
  await editor.press("Control+Alt+ArrowRight");
  await stage.rows(() => stage.sent("textDocument/didPartiallyAcceptCompletion").length === before + 2);
  const parts = stage.sent("textDocument/didPartiallyAcceptCompletion").slice(before);
  const taken = parts.map(({ item, acceptedLength }) => item.insertText.slice(0, acceptedLength).split("\n").slice(-2));
  assert.deepEqual(taken, [
    ["    total = 0", ""],
    ["    for value in values:", ""],
  ]);
  await editor.saved("crlf.py", /def mean\(values\):\r\n    total = 0\r\n/);
});

test("it continues what is chosen in the editor's own menu", async ({ stage, editor }) => {
  await editor.openFile("menu.py");
  await editor.type("tot");
  await editor.press("Control+Space");
  await editor.page
    .locator(".suggest-widget.visible .monaco-list-row.focused")
    .filter({ hasText: "total_of_values" })
    .waitFor();
  await editor.ghost("al_of_values(values)");
  const { context } = await stage.sentOnce(
    "textDocument/inlineCompletion",
    (params) => params.context.selectedCompletionInfo,
  );
  assert.equal(context.selectedCompletionInfo.text, "total_of_values");
  await editor.press("Tab");
  await editor.ghost("(values)");
  await editor.press("Tab");
  await editor.saved("menu.py", /\ntotal_of_values\(values\)$/);
});
