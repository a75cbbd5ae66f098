import assert from "node:assert/strict";
import { test } from "node:test";
import type { Arm, ServerStatus } from "../../src/protocol.ts";
import { armText, statusText, type View } from "../../src/statusText.ts";

const NORMAL: ServerStatus = { kind: "Normal", message: "`m` is ready on cpu." };
const RUNNING: View = { state: { kind: "running" }, server: NORMAL, arms: [], restricted: false };
const arm = (name: string, share: number, more: Partial<Arm> = {}): Arm => ({
  name,
  share,
  checkpoint: `${name}-1`,
  shadow: false,
  stopped: null,
  ...more,
});

test("each state has its icon, its word and its sentence", () => {
  const inactive: ServerStatus = { kind: "Inactive", message: "The model is being loaded." };
  const denied: ServerStatus = { kind: "Inactive", message: "The file is denied.", uri: "file:///x", reason: "denied" };
  const cases: [Partial<View>, string, string, string][] = [
    [{ state: { kind: "off" } }, "$(circle-slash) Truefill: off", "Suggestions are off everywhere.", "plain"],
    [{ state: { kind: "missing", problem: "None." } }, "$(error) Truefill: no program", "None.", "error"],
    [{ state: { kind: "starting" } }, "$(loading~spin) Truefill: starting", "The program is being started.", "plain"],
    [{ state: { kind: "failed", problem: "Bad." } }, "$(error) Truefill: stopped", "Bad.", "error"],
    [{ server: undefined }, "$(loading~spin) Truefill: starting", "The program runs.", "plain"],
    [{ server: inactive }, "$(loading~spin) Truefill: loading", inactive.message, "plain"],
    [{ server: { kind: "Error", message: "No model." } }, "$(error) Truefill: no model", "No model.", "error"],
    [{ server: { ...NORMAL, kind: "Warning" } }, "$(warning) Truefill: default", NORMAL.message, "warning"],
    [{}, "$(sparkle) Truefill: default", NORMAL.message, "plain"],
    [{ off: "Truefill is off in go." }, "$(circle-slash) Truefill: off here", "Truefill is off in go.", "plain"],
    [{ document: denied }, "$(circle-slash) Truefill: default", denied.message, "plain"],
  ];
  for (const [view, text, first, level] of cases) {
    const shown = statusText({ ...RUNNING, ...view });
    assert.deepEqual([shown.text, shown.lines[0], shown.level], [text, first, level]);
  }
});

test("the arm is the document's, else the only one, else how many there are", () => {
  const two = [arm("base", 0.7), arm("candidate", 0.3), arm("late", 0, { shadow: true })];
  assert.equal(armText({ arm: undefined, arms: [] }), "default");
  assert.equal(armText({ arm: undefined, arms: two }), "2 arms");
  assert.equal(armText({ arm: "candidate", arms: two }), "candidate");
  assert.equal(armText({ arm: undefined, arms: [arm("base", 1), arm("bad", 0, { stopped: "slow" })] }), "base");
});

test("what is compared, and what trust forbids, is explained", () => {
  const arms = [arm("base", 0.7), arm("bad", 0.3, { stopped: "too slow" }), arm("late", 0, { shadow: true })];
  const { lines } = statusText({ ...RUNNING, arms, restricted: true });
  assert.deepEqual(lines.slice(1), [
    "Served: base (70 %), bad (stopped: too slow), late (shadow).",
    "This workspace is not trusted: it is not indexed, and no code of it is kept.",
  ]);
});
