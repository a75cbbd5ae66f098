// Models: pulling one, and choosing what is served.
import assert from "node:assert/strict";
import { join } from "node:path";
import { Editor } from "./harness/editor.ts";
import { tinyModels } from "./harness/places.ts";
import { scene } from "./harness/play.ts";
import { Stage, until } from "./harness/stage.ts";

const test = scene(async () => {
  const stage = await Stage.set({
    answers: [{ when_prefix_ends: "total = ", texts: ["sum(values)"] }],
    files: { "one.py": "values = [1, 2]\n" },
    models: { default: "llama-q8_0.gguf" },
  });
  return { stage, editor: await Editor.open(stage) };
});

function arms(stage: Stage): { name: string; share: number; shadow: boolean; stopped: string | null }[] {
  return JSON.parse(stage.truefill("arms", "show", "--json")).arms;
}

test("a model of a file is pulled, under a name", async ({ stage, editor }) => {
  await editor.command("Truefill: Pull a Model");
  await editor.choose("A file");
  await editor.chooseFile("Pull a file", join(tinyModels, "llama-f32.gguf"), "Pull");
  await editor.answerInput("A name for it", "candidate");
  await editor.message(/llama-f32-[0-9a-f]+: llama, format causal v1/);
  await editor.clearMessages();
  const models = JSON.parse(stage.truefill("models", "list", "--json"));
  assert.ok(models.checkpoints.some(({ aliases }: { aliases: string[] }) => aliases.includes("candidate")));
});

test("what cannot be pulled is said in the program's own words", async ({ stage, editor }) => {
  await editor.command("Truefill: Pull a Model");
  await editor.choose("A file");
  await editor.chooseFile("Pull a file", stage.file("one.py"), "Pull");
  await editor.answerInput("A name for it", "");
  await editor.message(/one\.py: not a GGUF file: expected/);
  await editor.clearMessages();
});

test("two checkpoints are compared, and the status bar says so", async ({ stage, editor }) => {
  await editor.command("Truefill: Choose What Is Served");
  await editor.choose("Compare checkpoints");
  await editor.check("default", "candidate");
  await editor.choose("default", "Which one are the others compared with?");
  await editor.answerInput("Shares of default, candidate", "70/30");
  await until("the arms", () => arms(stage).length === 2);
  assert.deepEqual(
    arms(stage).map(({ name, share, shadow }) => [name, share, shadow]),
    [
      ["default", 0.7, false],
      ["candidate", 0.3, false],
    ],
  );
  await editor.openFile("one.py");
  await editor.type("total = ");
  await editor.ghost("sum(values)");
  await editor.status((text) => text.includes("Served: default (70 %), candidate (30 %)."));
});

test("an arm is stopped, a shadow is added, and all of it is taken back", async ({ stage, editor }) => {
  await editor.clearMessages();
  await editor.command("Truefill: Choose What Is Served");
  await editor.choose("Stop an arm");
  await editor.choose("candidate");
  await until("the stop", () => arms(stage)[1]?.stopped !== null);
  await editor.status((text) => text.includes("candidate (stopped"));
  await editor.command("Truefill: Choose What Is Served");
  await editor.choose("Undo the last change");
  await until("the arms as before", () => arms(stage)[1]?.stopped === null);
  await editor.command("Truefill: Choose What Is Served");
  await editor.choose("Compare nothing");
  await until("no arms", () => arms(stage).length === 0);
  await editor.command("Truefill: Choose What Is Served");
  await editor.choose("Add a shadow");
  await editor.choose("candidate");
  await until("the shadow", () => arms(stage)[1]?.shadow);
  await editor.status((text) => text.includes("candidate (shadow)"));
  await editor.command("Truefill: Choose What Is Served");
  await editor.choose("Serve one checkpoint");
  await editor.choose("candidate");
  await until("the one", () => arms(stage).length === 1);
  await editor.status((text) => text.includes("Truefill: candidate"));
});
