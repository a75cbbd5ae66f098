import assert from "node:assert/strict";
import { test } from "node:test";
import { isOn, type Languages, type MadeLanguages, switched } from "../../src/languages.ts";

test("a language is on unless somebody says otherwise, the workspace before the user", () => {
  const cases: [MadeLanguages, boolean][] = [
    [{}, true],
    [{ globalValue: { go: false } }, true],
    [{ globalValue: { python: false } }, false],
    [{ globalValue: { python: false }, workspaceValue: { python: true } }, true],
    [{ globalValue: { python: true }, workspaceValue: { python: false } }, false],
    [{ globalValue: { python: false }, workspaceValue: { go: true } }, false],
  ];
  for (const [made, expected] of cases) {
    assert.equal(isOn(made, "python"), expected, JSON.stringify(made));
  }
});

test("it is switched where it was, and leaves nothing that says no more than the default", () => {
  const cases: [MadeLanguages, "global" | "workspace", Languages | undefined][] = [
    [{}, "global", { python: false }],
    [{ globalValue: { go: false } }, "global", { go: false, python: false }],
    [{ globalValue: { python: false } }, "global", undefined],
    [{ globalValue: { python: false, go: false } }, "global", { go: false }],
    [{ workspaceValue: { go: false } }, "global", { python: false }],
    [{ workspaceValue: { python: false, go: false } }, "workspace", { go: false }],
    [{ globalValue: { python: false }, workspaceValue: { python: false } }, "workspace", { python: true }],
    [{ globalValue: { python: false }, workspaceValue: { python: true } }, "workspace", undefined],
  ];
  for (const [made, where, value] of cases) {
    const on = !isOn(made, "python");
    assert.deepEqual(switched(made, "python"), { on, where, value }, JSON.stringify(made));
  }
});
