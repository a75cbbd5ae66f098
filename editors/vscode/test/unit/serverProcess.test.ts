import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Attempt, GivenUp, TooLate } from "../../src/patience.ts";
import { ServerProcess } from "../../src/serverProcess.ts";

const folder = mkdtempSync(join(tmpdir(), "truefill-unit-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function program(name: string, body: string, ended?: (how: string) => void): ServerProcess {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return new ServerProcess({ file, folder }, ended);
}

const never = () => new Promise<never>(() => {});

test("it runs in the folder that it was given", async () => {
  const child = await program("where", 'echo "$1 in $(pwd -P)"').start();
  const [line] = await once(child.stdout.setEncoding("utf8"), "data");
  assert.equal(line, `serve in ${realpathSync(folder)}\n`);
});

test("how it ended is told", async () => {
  const ended = await new Promise((resolve) => void program("three", "sleep 0.2; exit 3", resolve).start());
  assert.equal(ended, "status 3");
});

test("one that is not there is an error", async () => {
  const missing = new ServerProcess({ file: join(folder, "nowhere"), folder });
  await assert.rejects(missing.start(), { code: "ENOENT" });
  missing.end();
});

test("one that never answers is not waited for longer than it may take", async () => {
  await assert.rejects(new Attempt().of(never(), 20, "It is silent."), new TooLate("It is silent."));
});

test("one that is given up is not waited for", async () => {
  const attempt = new Attempt();
  const waiting = attempt.of(never(), 60_000, "It is silent.");
  attempt.giveUp();
  await assert.rejects(waiting, GivenUp);
  await assert.rejects(attempt.of(never(), 60_000, ""), GivenUp, "nor if it was given up before");
});

test("it is ended even where it does not listen, and what it has started holds nobody", async () => {
  const server = program(
    "deaf",
    "trap '' TERM\nsleep 30 2>/dev/null &\necho ready\nwait\nwait\nwhile :; do sleep 1; done",
  );
  const child = await server.start();
  await once(child.stdout, "data");
  const closed = once(child.stdout, "close");
  const ended = once(child, "exit");
  server.end();
  await closed;
  assert.deepEqual(await ended, [null, "SIGKILL"]);
});

test("one that was ended before it ran never runs", async () => {
  const server = program("late", "touch ran");
  server.end();
  await assert.rejects(server.start(), /ended before it ran/);
});
