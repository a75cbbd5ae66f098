import assert from "node:assert/strict";
import { test } from "node:test";
import { Seldom } from "../../src/seldom.ts";

test("each thing is due once in a while", () => {
  let now = 1000;
  const seldom = new Seldom(60, () => now);
  const due = (...keys: string[]) => keys.map((key) => seldom.due(key));
  assert.deepEqual(due("a", "a", "b"), [true, false, true]);
  now += 59;
  assert.deepEqual(due("a", "b"), [false, false]);
  seldom.forget("b");
  assert.deepEqual(due("a", "b"), [false, true]);
  now += 1;
  assert.deepEqual(due("a", "b"), [true, false]);
  now = 0;
  assert.deepEqual(due("a"), [true], "a clock may be set back");
});
