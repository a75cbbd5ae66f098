import assert from "node:assert/strict";
import { test } from "node:test";
import type { WhyAnswer } from "../../src/protocol.ts";
import { type Here, offInProgram, silent, withoutServer, withServer } from "../../src/whyText.ts";

const HERE: Here = { state: { kind: "running" }, inlineSuggest: true, off: undefined, served: true };
const READY: WhyAnswer = { status: { kind: "Normal", message: "`m` is ready on cpu." } };
const ELIGIBLE = { eligible: true, message: "A suggestion is possible here." };

test("what the editor knows is said without the server, with what to do about it", () => {
  const cases: [Partial<Here>, RegExp, string | undefined][] = [
    [{ state: { kind: "off" } }, /off everywhere/, "truefill.toggle"],
    [{ state: { kind: "missing", problem: "None there." } }, /None there\./, "truefill.locateProgram"],
    [{ state: { kind: "failed", problem: "It fell." } }, /It fell\./, "truefill.restart"],
    [{ state: { kind: "starting" } }, /being started/, "truefill.openLog"],
    [{ served: false }, /files on disk and in unsaved documents only/, undefined],
    [{ inlineSuggest: false }, /editor\.inlineSuggest\.enabled/, "workbench.action.openSettings"],
    [{ off: { message: "Off in go.", command: "truefill.toggleLanguage" } }, /Off in go\./, "truefill.toggleLanguage"],
  ];
  for (const [here, message, command] of cases) {
    const found = withoutServer({ ...HERE, ...here });
    assert.match(found?.message ?? "", message);
    assert.equal(found?.remedies[0]?.command, command);
  }
  assert.equal(withoutServer(HERE), undefined);
});

test("the server's reasons lead to what can be done about them", () => {
  const cases: [string, string, unknown][] = [
    ["automatic_off", "truefill.suggest", undefined],
    ["disabled_language", "workbench.action.openSettings", ["truefill.suggest.disabled_languages"]],
    ["ignored", "workbench.action.openSettings", ["truefill.files.respect_ignore_files"]],
    ["model_unavailable", "truefill.pullDefault", undefined],
    ["engine_panicked", "truefill.restart", undefined],
  ];
  for (const [reason, command, parameters] of cases) {
    const here = { eligible: false, message: "Not here.", reason };
    const { message, remedies } = withServer({ ...READY, here });
    assert.deepEqual([message, remedies[0]?.command, remedies[0]?.arguments], ["Not here.", command, parameters]);
  }
  const unknown = withServer({
    ...READY,
    here: { eligible: false, message: "Not here.", reason: "of_a_newer_server" },
  });
  assert.deepEqual(unknown, { message: "Not here.", remedies: [] });
});

test("a server that cannot suggest at all says that first", () => {
  const status = { kind: "Error" as const, message: "There is no model." };
  const { message, remedies } = withServer({ status, here: ELIGIBLE });
  assert.deepEqual([message, remedies[0]?.command], ["There is no model.", "truefill.pullDefault"]);
});

test("of a place where one is possible the last request is told", () => {
  const none = { suggested: false, message: "The time was over.", reason: "budget_exceeded", shape: "one line" };
  const told = withServer({ ...READY, here: ELIGIBLE, last: none, index: { complete: false } });
  assert.equal(
    told.message,
    "A suggestion is possible here. The last request got none: The time was over. It was to be one line. " +
      "The workspace is still being indexed.",
  );
  assert.deepEqual(told.remedies[0]?.arguments, ["truefill.suggest.automatic_budget_ms"]);
  const fresh = withServer({ ...READY, here: ELIGIBLE, last: null });
  assert.match(fresh.message, /Nothing was asked in this file yet\./);
  assert.equal(fresh.remedies[0]?.command, "truefill.suggest");
});

test("a language that the program has off is not turned on from here, and it says where it is", () => {
  const setting = ["truefill.suggest.disabled_languages"];
  const cases: [boolean, RegExp][] = [
    [true, /`rust` is in `suggest\.disabled_languages` of the settings\. Take it out there\.$/],
    [false, /of `truefill\.toml`\. Take it out there, or set a list in the settings, which wins\.$/],
  ];
  for (const [listed, expected] of cases) {
    const { message, remedies } = offInProgram("rust", listed);
    assert.match(message, expected);
    assert.deepEqual(remedies[0]?.arguments, setting);
  }
});

test("a program that does not answer can be started again", () => {
  assert.equal(silent("It is silent.").remedies[0]?.command, "truefill.restart");
});
