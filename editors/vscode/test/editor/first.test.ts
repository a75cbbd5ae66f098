// The first run: the walkthrough, and the question about the journal.
import assert from "node:assert/strict";
import { Editor } from "./harness/editor.ts";
import { scene } from "./harness/play.ts";
import { Stage } from "./harness/stage.ts";

const QUESTION = "May the journal also keep the code";
const STEPS = [
  "Start the program",
  "Get the default model",
  "May the journal keep code?",
  "Take your first suggestion",
];
const ON_INSTALL = "workbench.welcomePage.walkthroughs.openOnInstall";

const test = scene(async () => {
  const stage = await Stage.set({
    answers: [
      { when_prefix_ends: "total = ", texts: ["sum(values)"] },
      { when_prefix_ends: "def youngest(people):\n    ", texts: ["return min(people)"] },
    ],
    files: { "one.py": "values = [1, 2]\n" },
  });
  stage.machine({ "truefill.server.path": stage.program, [ON_INSTALL]: true });
  return { stage, editor: await Editor.open(stage, false) };
});

test("the walkthrough opens, and its steps are checked as they are done", async ({ editor }) => {
  await editor.page.getByText("Get started with Truefill").first().waitFor();
  for (const [step, done] of [...STEPS.entries()].map(([at, title]) => [title, at < 2] as const)) {
    await editor.step(step, done);
  }
});

test("the question about the journal keeps nobody from working", async ({ editor }) => {
  await editor.message(QUESTION);
  await editor.openFile("one.py");
  await editor.type("total = ");
  await editor.ghost("sum(values)");
  await editor.press("Tab");
  await editor.saved("one.py", "values = [1, 2]\ntotal = sum(values)");
});

test("the answer is written down and told to the program", async ({ stage, editor }) => {
  await editor.answer(await editor.message(QUESTION), "Keep Redacted Code");
  await stage.sentOnce(
    "workspace/didChangeConfiguration",
    ({ settings }) => settings.truefill.journal?.context === true,
  );
  assert.equal(stage.readMachine()["truefill.journal.context"], true);
});

test("the walkthrough ends in a suggestion", async ({ editor }) => {
  await editor.command("Truefill: Get Started");
  await editor.step("May the journal keep code?", true);
  await editor.page.getByText("Take your first suggestion").first().click();
  await editor.page.getByRole("button", { name: "Open the Example" }).click();
  await editor.ghost("return min(people)");
  await editor.press("Tab");
  await editor.ghost("");
  assert.match(await editor.visibleText(), /return min\(people\)/);
  await editor.command("Truefill: Get Started");
  for (const title of STEPS) {
    await editor.step(title, true);
  }
});

test("in the next window nothing of it comes back", async ({ stage, editor }) => {
  stage.machine({ "truefill.server.path": stage.program, [ON_INSTALL]: true });
  const next = await editor.another();
  await next.page.waitForTimeout(1000);
  assert.equal(await next.page.getByText(QUESTION).count(), 0);
  assert.equal(await next.page.locator(".tab", { hasText: "Welcome" }).count(), 0);
  await next.page.close();
});
