// What the status bar says.
import type { Arm, ServerStatus } from "./protocol.ts";

/** How far the program is. */
export type State =
  | { kind: "off" }
  | { kind: "missing"; problem: string }
  | { kind: "starting" }
  | { kind: "running" }
  | { kind: "failed"; problem: string };

/** All that the status bar goes by. */
export interface View {
  state: State;
  /** What the server said about itself last. */
  server?: ServerStatus | undefined;
  /** What it said about the active document last. */
  document?: ServerStatus | undefined;
  arms: readonly Arm[];
  /** The arm of the active document, where it is known. */
  arm?: string | undefined;
  /** Why the user gets nothing in the active document, where it was turned off. */
  off?: string | undefined;
  restricted: boolean;
}

export interface Shown {
  text: string;
  /** Sentences, the most important one first. */
  lines: string[];
  level: "plain" | "warning" | "error";
}

/** The arm that stands for a server that compares nothing. */
const ONLY = "default";
const NAME = "Truefill";

export function statusText(view: View): Shown {
  switch (view.state.kind) {
    case "off":
      return shown("circle-slash", "off", ["Suggestions are off everywhere."]);
    case "missing":
      return shown("error", "no program", [view.state.problem], "error");
    case "starting":
      return shown("loading~spin", "starting", ["The program is being started."]);
    case "failed":
      return shown("error", "stopped", [view.state.problem], "error");
    case "running":
      return running(view);
  }
}

function running(view: View): Shown {
  const { server, document } = view;
  const about = [server?.message ?? "The program runs.", ...armLines(view), ...limits(view)];
  if (server === undefined) {
    return shown("loading~spin", "starting", about);
  }
  if (server.kind === "Error") {
    return shown("error", "no model", about, "error");
  }
  if (server.kind === "Inactive") {
    return shown("loading~spin", "loading", about);
  }
  const arm = armText(view);
  if (view.off !== undefined) {
    return shown("circle-slash", "off here", [view.off, ...about]);
  }
  if (document?.kind === "Inactive") {
    return shown("circle-slash", arm, [document.message, ...about]);
  }
  return server.kind === "Warning" ? shown("warning", arm, about, "warning") : shown("sparkle", arm, about);
}

/** The document's arm; where that is not known, the only one or how many there are. */
export function armText({ arm, arms }: Pick<View, "arm" | "arms">): string {
  const served = arms.filter((it) => !it.shadow && it.stopped === null);
  return arm ?? (served.length > 1 ? `${served.length} arms` : (served[0]?.name ?? ONLY));
}

function armLines({ arms }: View): string[] {
  return arms.length < 2 ? [] : [`Served: ${arms.map(armLine).join(", ")}.`];
}

/** An arm and what it gets. */
export function armLine({ name, share, shadow, stopped }: Arm): string {
  if (stopped !== null) {
    return `${name} (stopped: ${stopped})`;
  }
  return shadow ? `${name} (shadow)` : `${name} (${Math.round(100 * share)} %)`;
}

function limits({ restricted }: View): string[] {
  const sentence = "This workspace is not trusted: it is not indexed, and no code of it is kept.";
  return restricted ? [sentence] : [];
}

function shown(icon: string, said: string, lines: string[], level: Shown["level"] = "plain"): Shown {
  return { text: `$(${icon}) ${NAME}: ${said}`, lines, level };
}
