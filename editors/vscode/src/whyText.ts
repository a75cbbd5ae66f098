// Why there is no suggestion: what the editor knows, then what the server says.
import type { WhyAnswer } from "./protocol.ts";
import type { State } from "./statusText.ts";
import type { Off } from "./toggles.ts";

/** What can be done about a reason; `label` is the button's text. */
export type Remedy = { label: string; command: string; arguments?: unknown[] };

export interface Explanation {
  message: string;
  remedies: Remedy[];
}

/** What the editor knows without asking the server. */
export interface Here {
  state: State;
  /** `editor.inlineSuggest.enabled`. */
  inlineSuggest: boolean;
  off: Off | undefined;
  /** Whether documents of this scheme are given to the server. */
  served: boolean;
}

/** The program's reason where a language is off by `suggest.disabled_languages`. */
export const DISABLED_LANGUAGE = "disabled_language";

const SETTINGS = "workbench.action.openSettings";
const LOG: Remedy = { label: "Open Log", command: "truefill.openLog" };
const RESTART: Remedy = { label: "Restart", command: "truefill.restart" };
const ASK: Remedy = { label: "Ask Now", command: "truefill.suggest" };

/** What is to be done about the server's reasons. */
function remedies(reason: string | undefined): Remedy[] {
  switch (reason) {
    case "automatic_off":
      return [ASK, setting("suggest.automatic")];
    case "after_deletion":
    case "typed_on":
    case "cancelled":
    case "superseded":
      return [ASK];
    case DISABLED_LANGUAGE:
      return [setting("suggest.disabled_languages")];
    case "denied":
      return [setting("files.deny")];
    case "ignored":
      return [setting("files.respect_ignore_files")];
    case "too_large":
      return [setting("files.max_bytes")];
    case "long_line":
      return [setting("files.max_line_bytes")];
    case "budget_exceeded":
      return [setting("suggest.automatic_budget_ms")];
    case "guard_blocked":
      return [setting("suggest.guard")];
    case "model_unavailable":
      return [{ label: "Pull the Default Model", command: "truefill.pullDefault" }, LOG];
    case "engine_failed":
    case "engine_panicked":
    case "panicked":
      return [RESTART, LOG];
    default:
      return [];
  }
}

function setting(key: string): Remedy {
  return { label: "Open the Setting", command: SETTINGS, arguments: [`truefill.${key}`] };
}

/** What the editor alone can say; `undefined` where the server has to be asked. */
export function withoutServer(here: Here): Explanation | undefined {
  switch (here.state.kind) {
    case "off":
      return offEverywhere();
    case "missing":
      return {
        message: here.state.problem,
        remedies: [{ label: "Choose the Program", command: "truefill.locateProgram" }],
      };
    case "failed":
      return { message: here.state.problem, remedies: [RESTART, LOG] };
    case "starting":
      return { message: "Truefill is being started.", remedies: [LOG] };
    case "running":
      break;
  }
  if (!here.served) {
    return { message: "Truefill suggests in files on disk and in unsaved documents only.", remedies: [] };
  }
  if (!here.inlineSuggest) {
    const remedy = { label: "Open the Setting", command: SETTINGS, arguments: ["editor.inlineSuggest.enabled"] };
    return {
      message: "The editor shows no suggestions in the text (`editor.inlineSuggest.enabled`).",
      remedies: [remedy],
    };
  }
  if (here.off !== undefined) {
    return { message: here.off.message, remedies: [{ label: "Turn On", command: here.off.command }] };
  }
  return undefined;
}

/** What is to be done about a program that does not answer. */
export function silent(message: string): Explanation {
  return { message, remedies: [RESTART, LOG] };
}

/** Why a language stays off whatever the extension's own switch says; `listed` where the settings name it. */
export function offInProgram(language: string, listed: boolean): Explanation {
  const of = listed ? "the settings" : "`truefill.toml`";
  const otherwise = listed ? "" : ", or set a list in the settings, which wins";
  return {
    message: `\`${language}\` is in \`suggest.disabled_languages\` of ${of}. Take it out there${otherwise}.`,
    remedies: remedies(DISABLED_LANGUAGE),
  };
}

/** What is to be done where something was asked of a program that is off. */
export function offEverywhere(): Explanation {
  return { message: "Truefill is off everywhere.", remedies: [{ label: "Turn On", command: "truefill.toggle" }] };
}

/** What the server's answer says. */
export function withServer(answer: WhyAnswer): Explanation {
  const { status, here, last } = answer;
  if (status.kind === "Error") {
    return { message: status.message, remedies: remedies("model_unavailable") };
  }
  if (status.kind === "Inactive") {
    return { message: status.message, remedies: [LOG] };
  }
  if (here && !here.eligible) {
    return { message: here.message, remedies: remedies(here.reason) };
  }
  const sentences = [here?.message ?? status.message];
  if (last) {
    sentences.push(last.suggested ? last.message : `The last request got none: ${last.message}`);
    if (last.shape) {
      sentences.push(`It was to be ${last.shape}.`);
    }
    if (last.guard) {
      sentences.push(`The guard doubts ${last.guard}.`);
    }
  } else {
    sentences.push("Nothing was asked in this file yet.");
  }
  if (answer.index && !answer.index.complete) {
    sentences.push("The workspace is still being indexed.");
  }
  const found = last?.suggested ? [] : remedies(last?.reason);
  return { message: sentences.join(" "), remedies: found.length > 0 ? found : [ASK] };
}
