// A workspace that the user does not trust.
import assert from "node:assert/strict";
import { Editor } from "./harness/editor.ts";
import { scene } from "./harness/play.ts";
import { Stage, until } from "./harness/stage.ts";

const test = scene(async () => {
  const stage = await Stage.set({
    answers: [{ when_prefix_ends: "total = ", texts: ["sum(values)"] }],
    files: {
      "one.py": "values = [1, 2]\n",
      "two.py": "values = [1, 2]\n",
      ".vscode/settings.json": JSON.stringify({
        "truefill.suggest.guard": "off",
        "truefill.context.window_tokens": 96,
      }),
    },
    trust: true,
  });
  stage.machine({ "truefill.server.path": stage.program, "truefill.journal.context": true });
  return { stage, editor: await Editor.open(stage, false) };
});

test("its settings are not read, it is not indexed, and no code of it is kept", async ({ stage, editor }) => {
  const said = await editor.status((text) => text.startsWith("sparkle"));
  assert.match(said, /This workspace is not trusted: it is not indexed, and no code of it is kept\./);
  const [{ initializationOptions }] = stage.sent("initialize");
  assert.deepEqual(initializationOptions, { journal: { context: false }, index: { enabled: false } });
});

test("suggestions are given all the same", async ({ stage, editor }) => {
  await editor.openFile("one.py");
  await editor.type("total = ");
  await editor.ghost("sum(values)");
  await editor.press("Tab");
  await editor.saved("one.py", "values = [1, 2]\ntotal = sum(values)");
  const [row] = await stage.rows(
    (rows) => rows.some(({ outcomes }) => outcomes.some((it) => it.event === "accepted")),
    true,
  );
  assert.ok(row && !row["prefix"] && !row["prompt_token_ids"], "no code in the journal");
});

test("once it is trusted all of that is taken back", async ({ stage, editor }) => {
  await editor.command("Workspaces: Manage Workspace Trust");
  await editor.page.locator(".workspace-trust-editor").getByRole("button", { name: "Trust", exact: true }).click();
  await until("a new start with other settings", () => stage.sent("initialize").length > 1);
  const [{ initializationOptions }] = stage.sent("initialize").slice(-1);
  assert.deepEqual(initializationOptions, {
    journal: { context: true },
    suggest: { guard: "off" },
    context: { window_tokens: 96 },
  });
  await editor.status((text) => text.startsWith("sparkle") && !text.includes("not trusted"));
  await editor.openFile("two.py");
  await editor.type("total = ");
  await editor.ghost("sum(values)");
});
