import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { crateNotices, crates } from "../../scripts/crate-notices.mjs";

const root = mkdtempSync(join(tmpdir(), "truefill-unit-"));
after(() => rmSync(root, { recursive: true, force: true }));

const MIT = "Permission is granted.";

/** A package that lies in a folder with these files. */
function crate(name: string, files: Record<string, string>, more: object = {}) {
  for (const [file, text] of Object.entries({ "Cargo.toml": "", ...files })) {
    mkdirSync(dirname(join(root, name, file)), { recursive: true });
    writeFileSync(join(root, name, file), text);
  }
  return {
    id: `${name}-id`,
    name,
    version: "1.2.3",
    license: "MIT",
    license_file: null,
    repository: `https://example.org/${name}`,
    authors: [] as string[],
    source: "registry",
    manifest_path: join(root, name, "Cargo.toml"),
    targets: [{ name, kind: ["lib"] }],
    ...more,
  };
}

const needs = (name: string, ...kinds: (string | null)[]) => ({
  pkg: `${name}-id`,
  dep_kinds: kinds.map((kind) => ({ kind })),
});

const DATA = {
  packages: [
    crate("own", {}, { source: null, targets: [{ name: "truefill", kind: ["bin"] }] }),
    crate("part", { LICENSE: "Ours." }, { source: null }),
    crate("zeta", { "LICENSE-MIT": MIT, "src/license.rs": "fn main() {}" }),
    crate("alpha", { LICENSE: `${MIT.replace(" ", "\r\n")}\r\n`, NOTICE: "Thanks.", "licensed.txt": "no" }),
    crate("named", { "terms.txt": "Terms." }, { license: null, license_file: "terms.txt" }),
    crate("folder", { "LICENSES/BSD.txt": "Redistribution." }),
    crate("bare", {}, { authors: ["Ada"], repository: null }),
    crate("tests", { LICENSE: "Of tests." }),
    crate("builds", { LICENSE: "Of scripts." }),
    crate("apart", { LICENSE: "Of another." }),
  ],
  resolve: {
    nodes: [
      {
        id: "own-id",
        deps: [needs("part", null), needs("tests", "dev"), needs("builds", "build"), needs("zeta", null)],
      },
      { id: "part-id", deps: [needs("alpha", "build", null), needs("named", null), needs("own", "dev")] },
      { id: "alpha-id", deps: [needs("folder", null), needs("zeta", null)] },
      { id: "zeta-id", deps: [needs("bare", null)] },
      ...["named", "folder", "bare", "tests", "builds", "apart"].map((name) => ({ id: `${name}-id`, deps: [] })),
    ],
  },
};

test("the crates are those of others that the program is made of", () => {
  assert.deepEqual(
    crates(DATA).map(({ name }: { name: string }) => name),
    ["alpha", "bare", "folder", "named", "zeta"],
  );
});

test("each crate is listed with its licence, and each text once", () => {
  const text = crateNotices(DATA);
  const listed = text.split("\n\n")[1]?.split("\n");
  assert.deepEqual(listed, [
    "alpha 1.2.3 (MIT): texts 1, 2",
    "    https://example.org/alpha",
    "bare 1.2.3 (MIT): no text in its package; by Ada",
    "folder 1.2.3 (MIT): texts 3",
    "    https://example.org/folder",
    "named 1.2.3 (see its text): texts 4",
    "    https://example.org/named",
    "zeta 1.2.3 (MIT): texts 1",
    "    https://example.org/zeta",
  ]);
  assert.equal(text.match(/Permission\s+is granted\./g)?.length, 1);
  assert.deepEqual(text.match(/^\[\d+\]/gm), ["[1]", "[2]", "[3]", "[4]"]);
  assert.match(text, /\[3\] =+\n\nRedistribution\.\n\n\[4\] =+\n\nTerms\.\n$/);
  assert.doesNotMatch(text, /Ours\.|Of tests\.|Of scripts\.|Of another\.|\r/);
});

test("a workspace without the program is an error", () => {
  assert.throws(() => crates({ ...DATA, packages: DATA.packages.slice(1) }), /the program `truefill`, found none of 9/);
});
