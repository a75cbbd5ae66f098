import assert from "node:assert/strict";
import { test } from "node:test";
import { told } from "../../src/pullProgress.ts";

test("how far a pull is, is said of what is known", () => {
  const line = (bytes: number, total: number | null) => JSON.stringify({ step: "fetching it", bytes, total });
  const cases: [string, string][] = [
    ["fetching the model", "fetching the model"],
    ["{broken", "{broken"],
    [line(0, 92_871_040), "fetching it"],
    [line(43_000_000, 92_871_040), "fetching it: 46 % of 93 MB"],
    [line(92_871_040, 92_871_040), "fetching it: 100 % of 93 MB"],
    [line(512, 1024), "fetching it: 50 % of 1.0 kB"],
    [line(8_388_608, null), "fetching it: 8.4 MB"],
    [line(0, 0), "fetching it"],
  ];
  for (const [written, expected] of cases) {
    assert.equal(told(written), expected);
  }
});
