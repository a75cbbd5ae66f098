// Makes dist/truefill-VERSION[-TARGET].vsix. With --target and --truefill the program goes into it, and with it the
// licences of the crates in it: those that Cargo names in the workspace, or the text of --notices.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { bundle, ROOT } from "./build.mjs";
import { crateNotices, metadata, TRIPLES } from "./crate-notices.mjs";
import { notices } from "./notices.mjs";
import { mismatch } from "./program-header.mjs";

const USAGE = "usage: npm run package -- [--target TARGET --truefill PROGRAM [--notices FILE]] [--out FOLDER]";
const TARGETS = Object.keys(TRIPLES);
/** All that a user gets beside the bundle, by where it lies. */
const PACKED = [
  "README.md",
  "screen.png",
  "media",
  "walkthrough",
  "dist/extension.cjs",
  "../../LICENSE-MIT",
  "../../LICENSE-APACHE",
];

/** What was asked for wrongly, in distinction to what failed. */
class Misuse extends Error {}

function options() {
  const known = {
    target: { type: "string" },
    truefill: { type: "string" },
    notices: { type: "string" },
    out: { type: "string", default: join(ROOT, "dist") },
  };
  const { target, truefill, ...others } = parse(known);
  if ((target === undefined) !== (truefill === undefined)) {
    throw new Misuse(`a platform's package needs both \`--target\` and \`--truefill\`; ${USAGE}`);
  }
  if (target !== undefined && !TARGETS.includes(target)) {
    throw new Misuse(`expected a target of ${TARGETS.join(", ")}, found \`${target}\``);
  }
  for (const file of [truefill, others.notices]) {
    if (file !== undefined && !statSync(file, { throwIfNoEntry: false })?.isFile()) {
      throw new Misuse(`expected a file at \`${resolve(file)}\`, found none`);
    }
  }
  const wrong = truefill === undefined ? undefined : mismatch(truefill, target);
  if (wrong !== undefined) {
    throw new Misuse(wrong);
  }
  return { target, truefill, ...others };
}

/** The licences of the crates in the program that is packed. */
function programNotices({ target, truefill, notices: file }) {
  if (truefill === undefined) {
    return "";
  }
  if (file !== undefined) {
    return `\n${readFileSync(file, "utf8")}`;
  }
  try {
    return `\n${crateNotices(metadata(target))}`;
  } catch (error) {
    const need = "the licences of the program's crates go along: name a file with them by `--notices`";
    throw new Misuse(`${need}, or have Cargo and the program's workspace there (${error.message})`);
  }
}

function parse(known) {
  try {
    return parseArgs({ options: known }).values;
  } catch (error) {
    throw new Misuse(`${error.message}; ${USAGE}`);
  }
}

/** Runs a script of Node in a folder; its output is shown where it fails. */
function step(folder, ...parameters) {
  const { status, error, stdout, stderr } = spawnSync(process.execPath, parameters, { cwd: folder, encoding: "utf8" });
  if (status !== 0) {
    throw new Error(`\`node ${parameters.join(" ")}\` failed: ${error?.message ?? stdout + stderr}`);
  }
}

/** Lays out in `folder` what goes into the package, and gives back its version. */
function lay(folder, inputs, asked) {
  const { target, truefill } = asked;
  for (const path of PACKED) {
    cpSync(join(ROOT, path), join(folder, path.replace("../../", "")), { recursive: true });
  }
  writeFileSync(join(folder, "THIRD-PARTY.txt"), notices(ROOT, inputs) + programNotices(asked));
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  // What only the repository needs.
  for (const field of ["private", "type", "scripts", "devDependencies", "dependencies", "allowScripts", "prettier"]) {
    delete manifest[field];
  }
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest, null, 2));
  if (truefill !== undefined) {
    const file = join(folder, "bin", target.startsWith("win32") ? "truefill.exe" : "truefill");
    cpSync(truefill, file);
    chmodSync(file, 0o755);
  }
  return manifest.version;
}

async function main() {
  const asked = options();
  step(ROOT, "scripts/settings.mjs", "--check");
  const inputs = await bundle();
  const folder = mkdtempSync(join(tmpdir(), "truefill-package-"));
  try {
    const version = lay(folder, inputs, asked);
    mkdirSync(asked.out, { recursive: true });
    const { target } = asked;
    const vsix = join(resolve(asked.out), `truefill-${version}${target ? `-${target}` : ""}.vsix`);
    const vsce = join(dirname(createRequire(import.meta.url).resolve("@vscode/vsce/package.json")), "vsce");
    const platform = target === undefined ? [] : ["--target", target];
    // Links in the README stay as they are: the manifest names no repository to lead them to.
    const flags = ["--no-dependencies", "--skip-license", "--allow-missing-repository", "--no-rewrite-relative-links"];
    step(folder, vsce, "package", ...flags, "--out", vsix, ...platform);
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
    console.log(`${vsix}: ${files.length} files, ${(statSync(vsix).size / 1e6).toFixed(1)} MB`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  console.error(`package: ${error.message}`);
  process.exitCode = error instanceof Misuse ? 2 : 1;
}
