// Pulling a model, with its progress.
import { commands, type LogOutputChannel, ProgressLocation, window } from "vscode";
import { output, type Program } from "./program.ts";
import { told } from "./pullProgress.ts";
import type { Session } from "./session.ts";

/** A name of the store. */
const NAME = /^[a-z0-9][a-z0-9._-]*$/;

/** Pulls what is named, else what the user chooses. */
export async function pullModel(session: Session, log: LogOutputChannel, named?: string): Promise<void> {
  const program = session.requireProgram();
  const parameters = named === undefined ? await choose() : [named];
  if (parameters === undefined) {
    return;
  }
  const said = await pulled(program, parameters, log);
  if (said === undefined) {
    return;
  }
  const serve = "Choose What Is Served";
  const chosen = await window.showInformationMessage(`Truefill: ${said}`, serve);
  if (chosen === serve) {
    await commands.executeCommand("truefill.chooseArms");
  }
}

/** What the command said last, `undefined` where the user stopped it. */
async function pulled(program: Program, parameters: string[], log: LogOutputChannel): Promise<string | undefined> {
  const stop = new AbortController();
  const options = {
    location: ProgressLocation.Notification,
    title: `Truefill: pulling ${parameters[0]}`,
    cancellable: true,
  };
  try {
    return await window.withProgress(options, async (progress, token) => {
      token.onCancellationRequested(() => stop.abort());
      const onProgress = (line: string) => {
        const message = told(line);
        log.info(message);
        progress.report({ message });
      };
      const command = ["models", "pull", ...parameters, "--progress", "json"];
      const said = await output(program, command, { onProgress, signal: stop.signal });
      return said.trim().split("\n").join("; ");
    });
  } catch (error) {
    if (stop.signal.aborted) {
      return undefined;
    }
    throw error;
  }
}

async function choose(): Promise<string[] | undefined> {
  const kinds = [
    { label: "The default model", from: "default" },
    { label: "A model of the hub", detail: "hf:OWNER/REPO[/FILE][@REVISION]", from: "hub" },
    { label: "A file", detail: "A .gguf file", from: "file" },
    { label: "A folder", detail: "With safetensors and tokenizer.json", from: "folder" },
  ] as const;
  const chosen = await window.showQuickPick(kinds, { title: "Pull a model" });
  switch (chosen?.from) {
    case "default":
      return ["default"];
    case "hub": {
      const prompt = "`hf:OWNER/REPO`, perhaps with a file and `@` a revision";
      const validateInput = (text: string) => (/^hf:[^/\s]+\/\S+$/.test(text.trim()) ? undefined : prompt);
      const text = await window.showInputBox({ title: "Pull a model of the hub", prompt, value: "hf:", validateInput });
      return text === undefined ? undefined : withName(text.trim());
    }
    case "file":
    case "folder": {
      const folder = chosen.from === "folder";
      const found = await window.showOpenDialog({
        title: folder ? "Pull a folder" : "Pull a file",
        openLabel: "Pull",
        canSelectFiles: !folder,
        canSelectFolders: folder,
        ...(folder ? {} : { filters: { GGUF: ["gguf"], "All files": ["*"] } }),
      });
      return found?.[0] === undefined ? undefined : withName(found[0].fsPath);
    }
    default:
      return undefined;
  }
}

/** Asks for a short name; without one the model's id names it. */
async function withName(target: string): Promise<string[] | undefined> {
  const expected = "Lower-case letters, digits, `.`, `_` and `-`, or nothing";
  const validateInput = (text: string) => (text === "" || NAME.test(text) ? undefined : expected);
  const name = await window.showInputBox({ title: "A name for it", prompt: expected, validateInput });
  if (name === undefined) {
    return undefined;
  }
  return name === "" ? [target] : [target, "--name", name];
}
