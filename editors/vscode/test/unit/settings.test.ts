import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { merged, mistakes } from "../../scripts/settings.mjs";
import { KEYS, madeSettings, restricted, takesBack, toggled, type Made } from "../../src/settings.ts";

const read = (name: string) => JSON.parse(readFileSync(new URL(`../../${name}`, import.meta.url), "utf8"));

/** What the server is told where these settings were made. */
function told(made: Record<string, Made>) {
  return madeSettings((key) => made[key]);
}

test("only what was set is passed on, the nearest value first", () => {
  assert.deepEqual(told({}), {});
  const made = {
    "suggest.automatic": { globalValue: false },
    "suggest.guard": { globalValue: "off", workspaceValue: "block" },
    "context.window_tokens": { globalValue: 512, workspaceValue: 256 },
    "model.threads": { globalValue: 0 },
    "files.deny": { globalValue: null },
  };
  assert.deepEqual(told(made), {
    model: { threads: 0 },
    context: { window_tokens: 256 },
    suggest: { automatic: false, guard: "block" },
  });
});

test("a workspace that is not trusted is not indexed, and nothing of it is kept", () => {
  const sections = { journal: { context: true, enabled: true }, model: { id: "qwen" } };
  const expected = { journal: { context: false, enabled: true }, model: { id: "qwen" }, index: { enabled: false } };
  assert.deepEqual(restricted(sections), expected);
  assert.equal(sections.journal.context, true, "the argument stays as it was");
});

test("only a setting that is made no more needs a new start", () => {
  const initial = { suggest: { automatic: false, guard: "off" } };
  assert.equal(takesBack(initial, { suggest: { automatic: true, guard: "off" } }), false);
  assert.equal(takesBack(initial, { ...initial, model: { id: "x" } }), false);
  assert.equal(takesBack(initial, { suggest: { automatic: false } }), true);
  assert.equal(takesBack(initial, {}), true);
  assert.equal(takesBack({}, initial), false);
});

test("an item is put into a list or taken out", () => {
  assert.deepEqual(toggled([], "python"), ["python"]);
  assert.deepEqual(toggled(["go", "python"], "go"), ["python"]);
});

test("the manifest has the settings that the server makes, and notices when it has not", () => {
  const [manifest, settings] = [read("package.json"), read("settings.json")];
  assert.deepEqual(mistakes(settings), []);
  assert.deepEqual(merged(manifest, settings), manifest);
  assert.equal(KEYS.length, Object.keys(settings).length);
  const key = "truefill.suggest.automatic";
  const other = { ...settings, [key]: { ...settings[key], default: false } };
  assert.notDeepEqual(merged(manifest, other), manifest);
  const { [key]: _, ...fewer } = settings;
  assert.notDeepEqual(merged(manifest, fewer), manifest);
  assert.match(mistakes({ "truefill.x": {} })[0] ?? "", /no key of the form/);
});

test("what can run a program or open a socket is never a workspace's to say", () => {
  const { contributes, capabilities } = read("package.json");
  const properties = Object.assign(
    {},
    ...contributes.configuration.map((page: { properties: object }) => page.properties),
  );
  for (const key of ["truefill.server.path", "truefill.model.id", "truefill.remote.url", "truefill.journal.context"]) {
    assert.equal(properties[key].scope, "machine", key);
  }
  const open = capabilities.untrustedWorkspaces.restrictedConfigurations;
  assert.ok(open.includes("truefill.suggest.guard") && !open.includes("truefill.model.id"));
  assert.ok(open.includes("truefill.enabled") && open.includes("truefill.languages"));
});
