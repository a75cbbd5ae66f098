// What the server says beyond the protocol, as far as it is read here.

/** `truefill/status`; with a URI it is about that document. */
export interface ServerStatus {
  kind: "Normal" | "Warning" | "Error" | "Inactive";
  message: string;
  uri?: string;
  reason?: string;
}

/** What became of a document's last request. */
export interface Verdict {
  suggested: boolean;
  message: string;
  reason?: string;
  shape?: string;
  guard?: string;
}

/** The answer of `truefill.why`. */
export interface WhyAnswer {
  status: ServerStatus;
  here?: { eligible: boolean; message: string; reason?: string } | null;
  last?: Verdict | null;
  index?: { complete: boolean } | null;
  /** The arm that the document has now, once the model is open. */
  arm?: { name: string; checkpoint: string } | null;
}

/** The answer of `truefill.prompt`. */
export interface Prompt {
  prompt: string;
  tokens: number;
  sha256: string;
}

/** One of `truefill arms show --json`. */
export interface Arm {
  name: string;
  checkpoint: string;
  share: number;
  shadow: boolean;
  stopped: string | null;
}

/** `truefill arms show --json`. */
export interface Arms {
  generation: number;
  unit: string;
  arms: Arm[];
}

/** One line of `truefill models pull --progress json`. */
export interface PullProgress {
  step: string;
  bytes: number;
  total: number | null;
}

/** One of `truefill models list --json`. */
export interface Checkpoint {
  id: string;
  kind: string;
  architecture: string;
  bytes: number;
  aliases: string[];
  source: string;
}

export const ACCEPT = "truefill.accept";
export const WHY = "truefill.why";
export const PROMPT = "truefill.prompt";
export const STATUS = "truefill/status";
export const SHOWN = "textDocument/didShowCompletion";
export const PARTIALLY_ACCEPTED = "textDocument/didPartiallyAcceptCompletion";
export const REJECTED = "truefill/didReject";
