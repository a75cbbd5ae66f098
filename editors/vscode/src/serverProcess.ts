// The process of `truefill serve`.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import type { Program } from "./program.ts";

/** Time that a program has to end after it was asked to. */
const ENDS_WITHIN_MS = 2000;

export class ServerProcess {
  private readonly program: Program;
  private child: ChildProcessWithoutNullStreams | undefined;
  private unwanted = false;
  private readonly ended: (how: string) => void;

  /** `ended` is told the status or the signal with which it ended. */
  constructor(program: Program, ended: (how: string) => void = () => {}) {
    this.program = program;
    this.ended = ended;
  }

  get file(): string {
    return this.program.file;
  }

  /** Starts it, once, in a folder that no workspace owns. */
  async start(): Promise<ChildProcessWithoutNullStreams> {
    if (this.unwanted) {
      throw new Error("It was ended before it ran.");
    }
    const child = spawn(this.program.file, ["serve"], { cwd: this.program.folder, stdio: "pipe" });
    this.child = child;
    await once(child, "spawn");
    // A process that cannot be ended is no reason to end the editor's.
    child.on("error", () => {});
    child.once("exit", (code, signal) => this.ended(signal ?? `status ${code}`));
    return child;
  }

  /**
   * Ends it whatever it does, and at once as far as others see: what it has started might hold its streams for longer.
   */
  end(): void {
    this.unwanted = true;
    this.child?.stdout.destroy();
    this.child?.stdin.destroy();
    this.kill();
  }

  /** Leaves it some time to end as it was asked to, and ends it then. */
  endSoon(): void {
    this.unwanted = true;
    setTimeout(() => this.kill(), ENDS_WITHIN_MS).unref();
  }

  private kill(): void {
    this.child?.kill();
    // One that is stopped or does not listen.
    setTimeout(() => this.child?.kill("SIGKILL"), ENDS_WITHIN_MS).unref();
  }
}
