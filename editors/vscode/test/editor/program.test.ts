// Which program is run, and what is said where it cannot be.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test as alone } from "node:test";
import { closeBrowser, Editor } from "./harness/editor.ts";
import { platformVsix } from "./harness/places.ts";
import { scene } from "./harness/play.ts";
import { Stage, until } from "./harness/stage.ts";

const READY = (text: string) => text.startsWith("sparkle");
const ANSWERS = [{ when_prefix_ends: "total = ", texts: ["sum(values)"] }];

const test = scene(async () => {
  const stage = await Stage.set({
    answers: ANSWERS,
    files: {
      "one.py": "values = [1, 2]\n",
      // A repository that would have its own program run.
      ".vscode/settings.json": JSON.stringify({ "truefill.server.path": "/bin/true", "truefill.model.id": "theirs" }),
    },
    machine: { "truefill.journal.context": false },
  });
  return { stage, editor: await Editor.open(stage, false) };
});

test("without a program it says so, and the user chooses one", async ({ stage, editor }) => {
  const said = await editor.status((text) => text.includes("no program"));
  assert.match(said, /The program `truefill` is neither in this extension nor in `PATH`\./);
  const message = await editor.message("The program `truefill` is neither");
  await editor.answer(message, "Choose the Program");
  await editor.chooseFile("The program", stage.program, "Use");
  await editor.status(READY);
  assert.equal(stage.readMachine()["truefill.server.path"], stage.program);
  await editor.openFile("one.py");
  await editor.type("total = ");
  await editor.ghost("sum(values)");
});

test("what a workspace says about the machine is not heard", async ({ stage }) => {
  const [{ initializationOptions }] = stage.sent("initialize").slice(-1);
  assert.deepEqual(initializationOptions, { journal: { context: false } });
});

test("nothing is run in the folder that is open, which may hold code of others", async ({ stage, editor }) => {
  await editor.command("Truefill: Show Statistics");
  await until("commands of the program", () =>
    ["serve", "arms", "stats"].every((name) => stage.calls(name).length > 0),
  );
  for (const { parameters, cwd } of stage.calls("")) {
    assert.equal(cwd, join(stage.userData, "User", "globalStorage", "truefill.truefill"), parameters.join(" "));
  }
});

test("a setting that the program refuses is named, and mended it runs", async ({ stage, editor }) => {
  const settings = { "truefill.server.path": stage.program, "truefill.journal.context": false };
  stage.machine({ ...settings, "truefill.model.device": "abacus" });
  await editor.message(/The settings were not taken: `model\.device`.*found `abacus`/);
  await editor.status(READY);
  const starts = stage.calls("serve").length;
  await editor.command("Truefill: Restart");
  await editor.message(/Truefill could not be started: `model\.device`.*found `abacus`/);
  await editor.status((text) => text.startsWith("error Truefill: stopped"));
  await stage.gone();
  assert.equal(stage.calls("serve").length, starts + 1, "it is not tried again by itself");
  stage.machine(settings);
  await editor.status(READY);
  await editor.openFile("one.py");
  await editor.type("\ntotal = ");
  await editor.ghost("sum(values)");
});

test("a program that is not where it should be is not replaced by another", async ({ stage, editor }) => {
  await editor.clearMessages();
  stage.machine({ "truefill.server.path": "/nowhere/truefill", "truefill.journal.context": false });
  const said = await editor.status((text) => text.includes("no program"));
  assert.match(said, /there is none at `\/nowhere\/truefill`/);
  await stage.gone();
});

test("of a program that ends at once its last words are shown, and it is not tried again", async ({
  stage,
  editor,
}) => {
  await editor.clearMessages();
  const file = join(dirname(stage.program), "other");
  writeFileSync(file, `#!/bin/sh\necho "$@" >>"${stage.folder}/tries"\necho it cannot be >&2\nexit 3\n`, {
    mode: 0o755,
  });
  stage.machine({ "truefill.server.path": file, "truefill.journal.context": false });
  await editor.message("Truefill could not be started: it cannot be.");
  await editor.status((text) => text.startsWith("error Truefill: stopped"));
  assert.equal(readFileSync(join(stage.folder, "tries"), "utf8"), "serve\n");
  assert.equal(await editor.page.locator(".notification-toast").count(), 1, "one message is enough");
});

test("a program that never answers keeps nobody from naming another one, or from turning it off", async ({
  stage,
  editor,
}) => {
  await editor.clearMessages();
  const file = join(dirname(stage.program), "mute");
  writeFileSync(file, `#!/bin/sh\necho $$ >>"${stage.folder}/mute"\nsleep 600\n`, { mode: 0o755 });
  const mute = () => ({ "truefill.server.path": file, "truefill.journal.context": false });
  stage.machine(mute());
  await editor.status((text) => text.includes("starting"));
  stage.machine({ ...mute(), "truefill.server.path": stage.program });
  await editor.status(READY);
  stage.machine(mute());
  await editor.status((text) => text.includes("starting"));
  await editor.command("Truefill: Restart");
  await until("another start", () => readFileSync(`${stage.folder}/mute`, "utf8").split("\n").length > 3);
  await editor.command("Truefill: Turn On or Off Everywhere");
  await editor.status((text) => text.includes("Truefill: off"));
  const started = readFileSync(`${stage.folder}/mute`, "utf8").trim().split("\n").map(Number);
  await until("the end of what was given up", () => started.every((pid) => !isAlive(pid)));
});

test("off, a restart says so, and the statistics are there all the same", async ({ stage, editor }) => {
  stage.machine({ "truefill.server.path": stage.program, "truefill.journal.context": false });
  await editor.page.reload();
  await editor.status((text) => text.includes("Truefill: off"));
  await editor.command("Truefill: Restart");
  await editor.message("Truefill is off everywhere.");
  await editor.clearMessages();
  const before = stage.calls("serve").length;
  await editor.command("Truefill: Show Statistics");
  await editor.webview("How suggestions fare");
  assert.equal(stage.calls("serve").length, before, "the server stays off");
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

alone("a platform's package brings its program along", async () => {
  const stage = await Stage.set({
    answers: ANSWERS,
    files: { "one.py": "values = [1, 2]\n" },
    machine: { "truefill.journal.context": false },
    vsix: platformVsix(),
    standIn: true,
    inPath: true,
  });
  try {
    const editor = await Editor.open(stage);
    await editor.openFile("one.py");
    await editor.type("total = ");
    await editor.ghost("sum(values)");
    await editor.command("Truefill: Open the Log");
    await until("the origin in the log", async () => {
      const lines = await editor.page.locator(".panel .view-line").allTextContents();
      return lines.some((line) => /\(extension\)\./.test(line.replaceAll("\u00a0", " ")));
    });
    await editor.close();
  } finally {
    await stage.end();
  }
});

after(closeBrowser);
