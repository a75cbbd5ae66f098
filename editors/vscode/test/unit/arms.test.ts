import assert from "node:assert/strict";
import { test } from "node:test";
import { equalShares, megabytes, readShares, servedAs, withShadow } from "../../src/arms.ts";
import type { Arm, Checkpoint } from "../../src/protocol.ts";

const checkpoint = (id: string, ...aliases: string[]): Checkpoint => ({
  id,
  aliases,
  kind: "full",
  architecture: "llama",
  bytes: 1,
  source: "a file",
});

test("shares are equal, and the first one takes what is left", () => {
  assert.deepEqual([1, 2, 3, 7].map(equalShares), ["100", "50/50", "34/33/33", "16/14/14/14/14/14/14"]);
});

test("shares are read as they are shown, and mistakes are named", () => {
  assert.deepEqual(readShares("70/30", 2), [70, 30]);
  assert.deepEqual(readShares(" 2 / 1.5 ", 2), [2, 1.5]);
  const wrong: [string, RegExp][] = [
    ["100", /Expected 2 numbers such as 50\/50, found 1\./],
    ["50/", /found ``\./],
    ["50/many", /found `many`\./],
    ["50/0", /found `0`\./],
    ["50/-1", /found `-1`\./],
    ["50/Infinity", /found `Infinity`\./],
  ];
  for (const [text, message] of wrong) {
    assert.match(String(readShares(text, 2)), message);
  }
});

test("arms are named by the checkpoints' names and point at their ids", () => {
  assert.deepEqual(servedAs([checkpoint("a-1", "base"), checkpoint("b-2")], [70, 30]), ["base=70@a-1", "b-2=30@b-2"]);
});

test("a shadow comes to what is served, and what was stopped stays away", () => {
  const arms: Arm[] = [
    { name: "base", checkpoint: "a-1", share: 0.7, shadow: false, stopped: null },
    { name: "bad", checkpoint: "b-2", share: 0.3, shadow: false, stopped: "slow" },
    { name: "old", checkpoint: "c-3", share: 0, shadow: true, stopped: null },
  ];
  assert.deepEqual(withShadow(arms, "a-1", checkpoint("d-4", "new")), [
    "base=70@a-1",
    "old=shadow@c-3",
    "new=shadow@d-4",
  ]);
  assert.deepEqual(withShadow([], "a-1", checkpoint("d-4")), ["default=100@a-1", "d-4=shadow@d-4"]);
});

test("sizes are short", () => {
  assert.deepEqual([44_992, 98_362_432].map(megabytes), ["0.0 MB", "98 MB"]);
});
