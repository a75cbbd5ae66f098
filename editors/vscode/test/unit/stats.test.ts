import assert from "node:assert/strict";
import { test } from "node:test";
import { type Counts, type Report, statsPage } from "../../src/statsPage.ts";

const counts = (requested: number, more: Partial<Counts> = {}): Counts => ({
  requested,
  eligible: requested,
  served: 0,
  shown: 0,
  accepted: 0,
  kept: 0,
  kept_chars: 0,
  latency: { median_ms: null, p95_ms: null },
  ...more,
});

const REPORT: Report = {
  all: counts(8, { served: 4, accepted: 2, kept_chars: 40, latency: { median_ms: 80.4, p95_ms: 120.6 } }),
  arms: { "<script>": counts(8) },
  languages: { python: counts(8) },
  triggers: { automatic: counts(8) },
  silences: { inside_word: 3 },
  verdict: ["`base` & `candidate` are too alike to tell."],
};

test("a journal with nothing in it says so", () => {
  for (const report of [undefined, { ...REPORT, all: counts(0) }]) {
    assert.match(statsPage(report), /The journal has no requests yet\./);
  }
});

test("counts are shown with their shares, and times without fractions", () => {
  const page = statsPage(REPORT);
  const row = /<tr><td>all<\/td>.*?<\/tr>/.exec(page)?.[0].replace(/<[^>]*>/g, "|");
  assert.equal(row?.replace(/\|+/g, "|"), "|all|8|4 |50 %|0 |0 %|2 |25 %|0 |0 %|40|5.00|80 / 121 ms|");
  assert.match(page, /Nothing was given: inside_word 3\./);
});

test("names are shown as text, and nothing in the page can run", () => {
  const page = statsPage(REPORT);
  assert.match(page, /&lt;script&gt;/);
  assert.doesNotMatch(page, /<script/);
  assert.match(page, /default-src 'none'/);
  assert.match(page, /<code>base<\/code> &amp; <code>candidate<\/code> are too alike/);
});
