import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { mismatch } from "../../scripts/program-header.mjs";

const folder = mkdtempSync(join(tmpdir(), "truefill-unit-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A file that begins with these bytes, by where they stand. */
function program(...parts: [number, number[]][]): string {
  const bytes = Buffer.alloc(256);
  parts.forEach(([at, some]) => bytes.set(some, at));
  const file = join(folder, "program");
  writeFileSync(file, bytes);
  return file;
}

const ELF_MAGIC: [number, number[]] = [0, [0x7f, 0x45, 0x4c, 0x46, 2, 1]];
const elf = (machine: number) => program(ELF_MAGIC, [18, [machine, 0]]);
const mach = (machine: number) => program([0, [0xcf, 0xfa, 0xed, 0xfe, machine, 0, 0, 1]]);
const universal = (...machines: number[]) =>
  program(
    [0, [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, machines.length]],
    ...machines.map((machine, at): [number, number[]] => [8 + 20 * at, [1, 0, 0, machine]]),
  );
const pe = (low: number, high: number) =>
  program([0, [0x4d, 0x5a]], [0x3c, [0x80]], [0x80, [0x50, 0x45, 0, 0, low, high]]);

test("a program of the target's platform is taken", () => {
  const cases: [() => string, string][] = [
    [() => elf(0x3e), "linux-x64"],
    [() => elf(0x3e), "alpine-x64"],
    [() => elf(0xb7), "linux-arm64"],
    [() => elf(0x28), "linux-armhf"],
    [() => mach(0x07), "darwin-x64"],
    [() => mach(0x0c), "darwin-arm64"],
    [() => universal(0x07, 0x0c), "darwin-arm64"],
    [() => pe(0x64, 0x86), "win32-x64"],
    [() => pe(0x64, 0xaa), "win32-arm64"],
  ];
  for (const [file, target] of cases) {
    assert.equal(mismatch(file(), target), undefined, target);
  }
});

test("a program of another platform is refused, and what it is for is said", () => {
  const cases: [() => string, string, RegExp][] = [
    [() => elf(0x3e), "linux-arm64", /expected a program for linux-arm64, found one for x64/],
    [() => elf(0xf3), "linux-x64", /found one for the machine 0xf3/],
    [() => elf(0x3e), "win32-x64", /of the form PE for win32-x64, found ELF/],
    [() => elf(0x3e), "darwin-x64", /of the form Mach-O for darwin-x64, found ELF/],
    [() => universal(0x07), "darwin-arm64", /found one for x64/],
    [() => pe(0x64, 0x86), "linux-x64", /of the form ELF for linux-x64, found PE/],
    [() => pe(0x64, 0x86), "win32-arm64", /found one for x64/],
    [() => program([0, [0x23, 0x21]]), "linux-x64", /of the form ELF for linux-x64, found another file/],
    [() => program([0, [0x4d, 0x5a]], [0x3c, [0xff, 0xff]]), "win32-x64", /found another file/],
  ];
  for (const [file, target, expected] of cases) {
    assert.match(mismatch(file(), target) ?? "", expected);
  }
});

test("a package with a program has the licences of its crates, or is not made", () => {
  const script = fileURLToPath(new URL("../../scripts/package.mjs", import.meta.url));
  const parameters = ["--target", "linux-x64", "--out", folder, "--truefill"];
  const run = (file: string) =>
    // Without Cargo in PATH nobody can tell what is in the program.
    spawnSync(process.execPath, [script, ...parameters, file], { encoding: "utf8", env: { PATH: folder } });
  const { status, stderr } = run(elf(0x3e));
  assert.match(stderr, /the licences of the program's crates go along: name a file with them by `--notices`/);
  assert.equal(status, 2);
  assert.match(run(elf(0xb7)).stderr, /expected a program for linux-x64, found one for arm64/);
});
