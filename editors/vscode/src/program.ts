// Runs commands of the program, such as `truefill stats --json`.
import { spawn } from "node:child_process";

/** The program's file, and the folder that it is run in. */
export interface Program {
  file: string;
  /**
   * One that no workspace owns: what a program starts in turn, such as Python, may look for code in the folder that
   * it runs in, and a cloned repository must not bring any.
   */
  folder: string;
}

/** How a command ended. */
export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  /** Called with each line of stderr, where commands tell their progress. */
  onProgress?: (line: string) => void;
  signal?: AbortSignal;
}

/** Output that is kept of a command at most, in characters. */
const MOST = 64 << 20;

/** A command that failed; the message is what it said. */
export class CommandFailed extends Error {}

/** Runs a command to its end, whatever that is. */
export function run(program: Program, parameters: readonly string[], running: Running = {}): Promise<Ended> {
  const { onProgress, signal } = running;
  return new Promise((resolve, reject) => {
    const child = spawn(program.file, parameters, {
      cwd: program.folder,
      stdio: ["ignore", "pipe", "pipe"],
      ...(signal === undefined ? {} : { signal }),
    });
    let [stdout, stderr, line] = ["", "", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout = stdout.length < MOST ? stdout + text : stdout;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr = stderr.length < MOST ? stderr + text : stderr;
      const lines = (line + text).split("\n");
      line = lines.pop() ?? "";
      lines.filter((it) => it.trim() !== "").forEach((it) => onProgress?.(it.trim()));
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** The output of a command that succeeds. */
export async function output(program: Program, parameters: readonly string[], running?: Running): Promise<string> {
  const { code, stdout, stderr } = await run(program, parameters, running);
  if (code !== 0) {
    throw new CommandFailed(complaint(stderr) ?? `\`truefill ${parameters.join(" ")}\` ended with status ${code}.`);
  }
  return stdout;
}

/** The JSON that a command writes. */
export async function json<T>(program: Program, parameters: readonly string[], running?: Running): Promise<T> {
  const text = await output(program, parameters, running);
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new CommandFailed(`\`truefill ${parameters.join(" ")}\`: expected JSON, found other text.`);
  }
}

/** The sentence in which the program says what failed, without its own name. */
export function complaint(stderr: string): string | undefined {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  const own = lines.findLast((line) => line.startsWith("truefill: ")) ?? lines.at(-1);
  return own?.replace(/^truefill: /, "");
}
