import assert from "node:assert/strict";
import { test } from "node:test";
import { begun, type Offer, Offers, type Spot } from "../../src/offers.ts";

const FILE = "file:///shop/stock.py";
const START = { line: 3, character: 8 };
const SPOT: Spot = { document: FILE, version: 7, ...START };

/** Offers of these texts at one place; their ids are their numbers. */
function offered(...texts: string[]): Offer[] {
  return texts.map((insertText, at) => ({ id: `${insertText}#${at}`, insertText, start: START, item: insertText }));
}

test("what is written is counted in the suggestion's own text, whatever the line ends are", () => {
  const cases: [string, string | undefined, number][] = [
    ["width * height", "width", 5],
    ["width * height", "", 0],
    ["width * height", undefined, 0],
    ["width * height", "length", 0],
    ["a\nb\n", "a\r\nb", 3],
    ["a\r\nb", "a\r\n", 3],
    ["total = '🍎'", "total = '🍎", 11],
  ];
  for (const [text, written, units] of cases) {
    assert.equal(begun(text, written), units, JSON.stringify([text, written]));
  }
});

test("the first alternative is shown, and the others in their order and around", () => {
  const offers = new Offers();
  offers.add(SPOT, offered("a", "b", "c"), true);
  assert.equal(offers.current(FILE)?.insertText, "a");
  assert.deepEqual(
    [1, 1, 1, -1, -1].map((steps) => offers.turn(SPOT, steps)?.insertText),
    ["b", "c", "a", "c", "b"],
  );
  assert.equal(offers.turn({ ...SPOT, document: "file:///other" }, 1), undefined);
});

test("who goes on while only one is known gets what the reply with alternatives has there", () => {
  const offers = new Offers();
  offers.add(SPOT, offered("a"), false);
  assert.equal(offers.turn(SPOT, 1), undefined);
  assert.equal(offers.turn(SPOT, 1), undefined);
  assert.equal(offers.add(SPOT, offered("a", "b", "c"), true)?.insertText, "c");
  assert.equal(offers.current(FILE)?.insertText, "c");
});

test("a step waits for the alternatives of its own place alone", () => {
  const elsewhere: [string, Partial<Spot>][] = [
    ["in another document", { document: "file:///other" }],
    ["in a text that was changed", { version: 8 }],
    ["in another line", { line: 4 }],
    ["in another column", { character: 9 }],
  ];
  for (const [where, other] of elsewhere) {
    const offers = new Offers();
    offers.add(SPOT, offered("a"), false);
    offers.turn(SPOT, 1);
    assert.equal(offers.add({ ...SPOT, ...other }, offered("x", "y"), true), undefined, where);
    assert.equal(offers.add(SPOT, offered("a", "b"), true), undefined, `${where}, and back`);
    assert.equal(offers.current(FILE)?.insertText, "a");
  }
});

test("a step whose alternatives never came is forgotten", () => {
  const offers = new Offers();
  offers.add(SPOT, offered("a"), false);
  offers.turn(SPOT, 1);
  assert.equal(offers.add(SPOT, [], false), undefined, "the request before it, which was cancelled");
  assert.equal(offers.add(SPOT, offered("a", "b"), true)?.insertText, "b");
  offers.clear();
  offers.add(SPOT, offered("a"), false);
  offers.turn(SPOT, 1);
  assert.equal(offers.add(SPOT, [], true), undefined);
  assert.equal(offers.add(SPOT, offered("a", "b"), true), undefined);
  assert.equal(offers.current(FILE)?.insertText, "a");
});

test("a reply without anything leaves what is shown, and the one that was shown stays chosen", () => {
  const offers = new Offers();
  offers.add(SPOT, offered("a", "b"), true);
  offers.turn(SPOT, 1);
  assert.equal(offers.add(SPOT, [], true), undefined);
  offers.add(SPOT, offered("c", "b", "a"), true);
  assert.equal(offers.current(FILE)?.insertText, "b");
});

test("a part is of the newest suggestion that begins so, the shown one before others", () => {
  const offers = new Offers();
  offers.add(SPOT, offered("choose(1)", "choose(2)"), true);
  const written = () => "choose";
  assert.deepEqual(offers.taken(FILE, written)?.offer.insertText, "choose(1)");
  offers.turn(SPOT, 1);
  const { offer, units } = offers.taken(FILE, written) ?? {};
  assert.deepEqual([offer?.insertText, units], ["choose(2)", 6]);
  offers.add(SPOT, offered("other"), false);
  assert.equal(offers.taken(FILE, written)?.offer.insertText, "choose(2)", "an older reply");
  assert.equal(
    offers.taken(FILE, () => "neither"),
    undefined,
  );
  offers.clear();
  assert.equal(offers.taken(FILE, written), undefined);
});
