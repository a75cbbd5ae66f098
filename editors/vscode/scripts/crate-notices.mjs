// The licences of the crates in the program, as their authors ask for:
// node crate-notices.mjs TARGET [OUT]
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const WORKSPACE = fileURLToPath(new URL("../../..", import.meta.url));
const PROGRAM = "truefill";
const LICENCE = /^(licen[cs]es?|copying|copyright|notice|unlicen[cs]e)([-_.]|$)/i;
/** The compiler's names of the targets that packages are made for. */
export const TRIPLES = {
  "win32-x64": "x86_64-pc-windows-msvc",
  "win32-arm64": "aarch64-pc-windows-msvc",
  "linux-x64": "x86_64-unknown-linux-gnu",
  "linux-arm64": "aarch64-unknown-linux-gnu",
  "linux-armhf": "armv7-unknown-linux-gnueabihf",
  "alpine-x64": "x86_64-unknown-linux-musl",
  "alpine-arm64": "aarch64-unknown-linux-musl",
  "darwin-x64": "x86_64-apple-darwin",
  "darwin-arm64": "aarch64-apple-darwin",
};

/** What Cargo says about the workspace and a target; nothing is compiled. */
export function metadata(target) {
  const manifest = join(WORKSPACE, "Cargo.toml");
  if (!existsSync(manifest)) {
    throw new Error(`expected the workspace's manifest at \`${manifest}\`, found none`);
  }
  const flags = ["--format-version", "1", "--locked", "--filter-platform", TRIPLES[target]];
  const { status, error, stdout, stderr } = spawnSync("cargo", ["metadata", ...flags, "--manifest-path", manifest], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (status !== 0) {
    throw new Error(`\`cargo metadata\` failed: ${error?.message ?? stderr.trim()}`);
  }
  return JSON.parse(stdout);
}

/** The packages that the program is made of, from others, in the order of their names. */
export function crates({ packages, resolve }) {
  const byId = new Map(packages.map((it) => [it.id, it]));
  const needs = new Map(resolve.nodes.map(({ id, deps }) => [id, deps.filter(isNormal).map((it) => it.pkg)]));
  const isProgram = ({ kind, name }) => name === PROGRAM && kind.includes("bin");
  const root = packages.find(({ targets }) => targets.some(isProgram));
  if (root === undefined) {
    throw new Error(`expected a package with the program \`${PROGRAM}\`, found none of ${packages.length}`);
  }
  const found = new Set([root.id]);
  // What is added while it is gone through is gone through, too.
  for (const id of found) {
    needs.get(id)?.forEach((other) => found.add(other));
  }
  const others = [...found].map((id) => byId.get(id)).filter((it) => it !== undefined && it.source !== null);
  return others.sort((one, other) => order(one.name, other.name) || order(one.version, other.version));
}

/** Whether a dependency is in what is built, in distinction to tests and to scripts that build. */
function isNormal({ dep_kinds: kinds }) {
  return kinds.some(({ kind }) => kind === null);
}

function order(one, other) {
  return one < other ? -1 : Number(one > other);
}

/** The text that goes along: each crate, and each text of a licence once. */
export function crateNotices(data) {
  const texts = new Map();
  const entries = crates(data).map((crate) => {
    const numbers = licenceFiles(crate).map((file) => number(texts, readFileSync(file, "utf8")));
    const where = crate.repository ?? crate.homepage ?? "";
    const by = crate.authors?.length > 0 ? `; by ${crate.authors.join(", ")}` : "";
    const told = numbers.length > 0 ? `texts ${[...new Set(numbers)].join(", ")}` : `no text in its package${by}`;
    return `${crate.name} ${crate.version} (${crate.license ?? "see its text"}): ${told}\n    ${where}`.trimEnd();
  });
  const listed = [...texts.values()].map(({ at, text }) => `[${at}] ${"=".repeat(72)}\n\n${text}\n`);
  return `The program \`${PROGRAM}\` holds the following crates. The texts of their licences follow, each once.\n
${entries.join("\n")}\n\n${listed.join("\n")}`;
}

/** The number of a text; lines that are broken otherwise make no other one. */
function number(texts, content) {
  const key = content.replace(/\s+/g, " ").trim();
  if (!texts.has(key)) {
    const text = content.replaceAll("\r\n", "\n").replace(/[ \t]+$/gm, "");
    texts.set(key, { at: texts.size + 1, text: text.replace(/^\n+|\s+$/g, "") });
  }
  return texts.get(key).at;
}

function licenceFiles({ manifest_path: manifest, license_file: named }) {
  const folder = dirname(manifest);
  const found = readdirSync(folder)
    .filter((name) => LICENCE.test(name))
    .map((name) => join(folder, name))
    .flatMap((path) => (statSync(path).isDirectory() ? readdirSync(path).map((name) => join(path, name)) : [path]));
  const all = new Set(named ? [...found, join(folder, named)] : found);
  return [...all].filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile()).sort();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [target, out] = process.argv.slice(2);
  if (!(target in TRIPLES)) {
    console.error(`crate-notices: expected a target of ${Object.keys(TRIPLES).join(", ")}, found \`${target}\``);
    process.exitCode = 2;
  } else {
    const text = crateNotices(metadata(target));
    out === undefined ? process.stdout.write(text) : writeFileSync(out, text);
  }
}
