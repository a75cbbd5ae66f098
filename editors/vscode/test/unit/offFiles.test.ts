import assert from "node:assert/strict";
import { test } from "node:test";
import { renamed } from "../../src/offFiles.ts";

test("a file is followed when it or a folder above it gets another name", () => {
  const files = ["file:///shop/stock.py", "file:///shop/lib/price.py", "file:///shop-tools/a.py"];
  const cases: [string, string, number, string][] = [
    ["file:///shop/stock.py", "file:///shop/store.py", 0, "file:///shop/store.py"],
    ["file:///shop/lib", "file:///shop/library", 1, "file:///shop/library/price.py"],
    ["file:///shop", "file:///store", 1, "file:///store/lib/price.py"],
  ];
  for (const [before, after, at, expected] of cases) {
    assert.equal(renamed(files, before, after)[at], expected);
  }
  assert.deepEqual(renamed(files, "file:///shop/li", "file:///x"), files, "no whole name");
  assert.equal(renamed(files, "file:///shop", "file:///x")[2], files[2], "a folder beside it");
});
