import assert from "node:assert/strict";
import { test } from "node:test";
import { Told } from "../../src/told.ts";

const taken = (id: string, insertText: string, units: number) => ({
  offer: { id, insertText, start: { line: 0, character: 0 }, item: undefined },
  units,
});

test("a suggestion is seen once", () => {
  const told = new Told();
  assert.deepEqual([told.saw("a"), told.saw("a"), told.saw("b")], [true, false, true]);
});

test("a part is news where it is longer than what was told of the same text", () => {
  const told = new Told();
  // The editor puts in the emoji behind the quote, and leaves the cursor before it.
  const parts = [taken("a", "'🍎' + end", 1), taken("a", "'🍎' + end", 1), taken("a", "'🍎' + end", 4)];
  assert.deepEqual(
    parts.map((part) => told.took(part)),
    [true, false, true],
  );
  assert.equal(told.took(taken("a", "🍎' + end", 2)), true, "the rest has the same id and its own units");
  assert.equal(told.saw("a"), true);
});

test("it does not grow for ever, and what is used stays", () => {
  const told = new Told();
  told.saw("first");
  for (let at = 0; at < 1000; at += 1) {
    told.saw(`${at}`);
    assert.equal(told.saw("first"), false);
  }
  assert.ok(told.size <= 256, `${told.size}`);
});
