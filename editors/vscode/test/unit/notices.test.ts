import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { notices } from "../../scripts/notices.mjs";

const root = mkdtempSync(join(tmpdir(), "truefill-unit-"));
after(() => rmSync(root, { recursive: true, force: true }));

function write(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
}

test("each package in the bundle is named once, with its licence", () => {
  write("node_modules/@a/b/package.json", '{"name": "@a/b", "version": "1.2.3", "license": "MIT"}');
  write("node_modules/@a/b/LICENSE.md", "Permission is granted.\n");
  write("node_modules/@a/b/node_modules/c/package.json", '{"name": "c", "version": "2.0.0", "license": "ISC"}');
  write("node_modules/@a/b/node_modules/c/licence", "Permission to use.\n");
  const inputs = [
    "src/extension.ts",
    "node_modules/@a/b/lib/x.js",
    "node_modules/@a/b/y.js",
    "node_modules/@a/b/node_modules/c/z.js",
  ];
  const text = notices(root, inputs);
  assert.deepEqual(text.match(/^.* \((MIT|ISC)\)$/gm), ["@a/b 1.2.3 (MIT)", "c 2.0.0 (ISC)"]);
  assert.match(text, /Permission is granted\.[^]*Permission to use\./);
});

test("a package without a licence's text is an error", () => {
  write("node_modules/bare/package.json", '{"name": "bare", "version": "1.0.0", "license": "MIT"}');
  assert.throws(() => notices(root, ["node_modules/bare/index.js"]), /bare: expected a file with the licence \(MIT\)/);
});
