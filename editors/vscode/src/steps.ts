// Which steps of the walkthrough are done.
import { commands, type Disposable } from "vscode";

export type Step = "program" | "model" | "journal" | "suggestion";

/**
 * The editor takes a step for open for good if its condition holds already when it first looks at the walkthrough,
 * which it does some time after the start.
 */
const LOOKED_AT_MS = 2000;

export class Steps implements Disposable {
  private readonly done = new Set<Step>();
  private readonly timer: NodeJS.Timeout;
  private early = true;

  constructor() {
    this.timer = setTimeout(() => {
      this.early = false;
      this.done.forEach(check);
    }, LOOKED_AT_MS);
  }

  /** Checks a step where it is done; what was done once stays so. */
  update(step: Step, isDone: boolean): void {
    if (isDone && !this.done.has(step)) {
      this.done.add(step);
      if (!this.early) {
        check(step);
      }
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
  }
}

/** The manifest's walkthrough waits for these names. */
function check(step: Step): void {
  void commands.executeCommand("setContext", `truefill.done.${step}`, true);
}
