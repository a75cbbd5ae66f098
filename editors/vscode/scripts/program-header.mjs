// Whether a program is one of the platform that a package is for, as its first bytes say.
import { closeSync, openSync, readSync } from "node:fs";

const BYTES = 4096;
/** By what a target's name ends with. */
const ELF = { x64: 0x3e, arm64: 0xb7, armhf: 0x28 };
const MACH = { x64: 0x0100_0007, arm64: 0x0100_000c };
const PE = { x64: 0x8664, arm64: 0xaa64 };

/** What is wrong with the program for a target such as `linux-x64`; `undefined` where nothing is. */
export function mismatch(file, target) {
  const [system, machine] = target.split("-");
  const head = beginning(file);
  const { format, machines } = read(head);
  const expected = { win32: ["PE", PE], darwin: ["Mach-O", MACH] }[system] ?? ["ELF", ELF];
  if (format !== expected[0]) {
    return `expected a program of the form ${expected[0]} for ${target}, found ${format ?? "another file"} at \`${file}\``;
  }
  if (!machines.includes(expected[1][machine])) {
    const found = machines.map((it) => nameOf(expected[1], it)).join(", ");
    return `expected a program for ${target}, found one for ${found} at \`${file}\``;
  }
  return undefined;
}

function nameOf(machines, number) {
  const [name] = Object.entries(machines).find(([, it]) => it === number) ?? [];
  return name ?? `the machine 0x${number.toString(16)}`;
}

function beginning(file) {
  const bytes = Buffer.alloc(BYTES);
  const descriptor = openSync(file, "r");
  try {
    return bytes.subarray(0, readSync(descriptor, bytes, 0, BYTES, 0));
  } finally {
    closeSync(descriptor);
  }
}

/** The form of a program, and the numbers that it has for its machines. */
function read(head) {
  const magic = head.length >= 64 ? head.readUInt32BE(0) : 0;
  if (magic === 0x7f45_4c46) {
    return { format: "ELF", machines: [head[5] === 2 ? head.readUInt16BE(18) : head.readUInt16LE(18)] };
  }
  if (magic === 0xcffa_edfe) {
    return { format: "Mach-O", machines: [head.readUInt32LE(4)] };
  }
  if (magic === 0xcafe_babe) {
    // Programs for several machines in one file, each with an entry of 20 bytes.
    const count = Math.min(head.readUInt32BE(4), 16);
    const entries = Array.from({ length: count }, (_, at) => 8 + 20 * at).filter((at) => at + 4 <= head.length);
    return { format: "Mach-O", machines: entries.map((at) => head.readUInt32BE(at)) };
  }
  if (magic >>> 16 === 0x4d5a) {
    const at = head.readUInt32LE(0x3c);
    const isPortable = at + 6 <= head.length && head.readUInt32BE(at) === 0x5045_0000;
    return isPortable ? { format: "PE", machines: [head.readUInt16LE(at + 4)] } : { machines: [] };
  }
  return { machines: [] };
}
