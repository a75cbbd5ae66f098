import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
const keys: { command: string; when: string }[] = manifest.contributes.keybindings;

/** The conditions of a command's key. */
function conditions(command: string): string[] {
  return keys.find((key) => key.command === `truefill.${command}`)?.when.split(" && ") ?? [];
}

test("no key is taken away from anything but the text that has the cursor", () => {
  for (const { command, when } of keys) {
    assert.ok(when.split(" && ").includes("editorTextFocus"), `${command}: ${when}`);
  }
});

test("the keys of a suggestion work where the editor's own do", () => {
  // VS Code 1.91 does not know the name, and takes what it does not know for false. A pattern is tried on
  // `undefined` then, so this holds in a version without the name and goes by its value in one with it.
  const atGhostText = "cursorBeforeGhostText =~ /true|undefined/";
  for (const command of ["acceptWord", "acceptLine"]) {
    const found = conditions(command);
    for (const expected of [atGhostText, "inlineSuggestionVisible", "!accessibilityModeEnabled"]) {
      assert.ok(found.includes(expected), `${command}: ${expected}`);
    }
  }
  const escape = conditions("dismiss");
  const others = ["!suggestWidgetVisible", "!parameterHintsVisible", "!renameInputVisible", "!inSnippetMode"];
  for (const expected of [atGhostText, ...others]) {
    assert.ok(escape.includes(expected), expected);
  }
});
