import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { CommandFailed, complaint, json, output, type Program, run } from "../../src/program.ts";

const folder = mkdtempSync(join(tmpdir(), "truefill-unit-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A program that does this. */
function script(body: string): Program {
  const file = join(folder, `${body.length}-${Math.random()}`);
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
  return { file, folder };
}

test("what it writes comes back, and its progress line by line", async () => {
  const lines: string[] = [];
  const program = script('printf "fetching\\nunpacking" >&2; echo "$1 $2"; exit 3');
  const ended = await run(program, ["models", "pull"], { onProgress: (line) => lines.push(line) });
  assert.deepEqual(ended, { code: 3, stdout: "models pull\n", stderr: "fetching\nunpacking" });
  assert.deepEqual(lines, ["fetching"]);
});

test("it runs in the folder that it was given, wherever the editor was started", async () => {
  assert.equal(await output(script("pwd -P"), []), `${realpathSync(folder)}\n`);
});

test("one that fails is quoted", async () => {
  const program = script('echo "fetching" >&2; echo "truefill: x.gguf: no such file" >&2; exit 1');
  await assert.rejects(output(program, ["models"]), new CommandFailed("x.gguf: no such file"));
  await assert.rejects(output(script("exit 2"), ["arms"]), new CommandFailed("`truefill arms` ended with status 2."));
});

test("what should be JSON and is not is said so", async () => {
  assert.deepEqual(await json(script("echo '{\"arms\": []}'"), ["arms"]), { arms: [] });
  const expected = new CommandFailed("`truefill arms`: expected JSON, found other text.");
  await assert.rejects(json(script("echo hello"), ["arms"]), expected);
});

test("one that is stopped ends", async () => {
  const stop = new AbortController();
  const begun = Date.now();
  const running = run(script("exec sleep 20"), [], { signal: stop.signal });
  stop.abort();
  await assert.rejects(running, { name: "AbortError" });
  assert.ok(Date.now() - begun < 10_000);
});

test("its own complaint is found between other lines", () => {
  const cases: [string, string | undefined][] = [
    ["", undefined],
    ["loading\ntruefill: no model\n  try this\n", "no model"],
    ["something else\n", "something else"],
  ];
  for (const [stderr, expected] of cases) {
    assert.equal(complaint(stderr), expected);
  }
});
