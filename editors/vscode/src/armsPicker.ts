// Choosing which checkpoints are served, and to how much of the work.
import { type QuickPickItem, window } from "vscode";
import { armName, equalShares, megabytes, readShares, servedAs, withShadow } from "./arms.ts";
import { json, output } from "./program.ts";
import type { Arms, Checkpoint } from "./protocol.ts";
import type { Session } from "./session.ts";
import { armLine } from "./statusText.ts";

interface Choice extends QuickPickItem {
  /** The arguments of `truefill arms`, `undefined` where the user thought better of it. */
  choose: () => Promise<string[] | undefined>;
}

export async function chooseArms(session: Session): Promise<void> {
  const program = session.requireProgram();
  const [served, models] = await Promise.all([
    json<Arms>(program, ["arms", "show", "--json"]),
    json<{ checkpoints: Checkpoint[] }>(program, ["models", "list", "--json"]),
  ]);
  const now = served.arms.length > 0 ? served.arms.map(armLine).join(", ") : "default";
  const chosen = await window.showQuickPick(choices(served, models.checkpoints), {
    title: "Choose what is served",
    placeHolder: `Now: ${now}`,
  });
  const parameters = await chosen?.choose();
  if (parameters !== undefined) {
    const said = await output(program, ["arms", ...parameters]);
    void window.showInformationMessage(
      `Truefill: ${said
        .trim()
        .split("\n")
        .map((line) => line.trim().replace(/ {2,}/g, " "))
        .join("; ")}`,
    );
  }
}

function choices({ arms, generation }: Arms, checkpoints: Checkpoint[]): Choice[] {
  const all: Choice[] = [
    { label: "Serve one checkpoint", choose: () => one(checkpoints) },
    {
      label: "Compare checkpoints",
      detail: "Each gets a share of your work, and the statistics tell which is better.",
      choose: () => several(checkpoints),
    },
    {
      label: "Add a shadow",
      detail: "It is never shown, and is held against what you wrote in the end.",
      choose: () => shadow(arms, checkpoints),
    },
  ];
  const going = arms.filter((arm) => arm.stopped === null);
  if (going.length > 1) {
    all.push({
      label: "Stop an arm",
      detail: "Its share goes to the others.",
      choose: () => stop(going.map((arm) => arm.name)),
    });
  }
  if (arms.length > 0) {
    all.push({
      label: "Compare nothing",
      detail: "The checkpoint that is named `default` is served.",
      choose: async () => ["clear"],
    });
  }
  if (generation > 0) {
    all.push({ label: "Undo the last change", choose: async () => ["rollback"] });
  }
  return all;
}

function items(checkpoints: Checkpoint[]) {
  return checkpoints.map((checkpoint) => ({
    label: armName(checkpoint),
    description: checkpoint.aliases.length > 0 ? checkpoint.id : "",
    detail: `${checkpoint.architecture} ${checkpoint.kind}, ${megabytes(checkpoint.bytes)}, from ${checkpoint.source}`,
    checkpoint,
  }));
}

async function one(checkpoints: Checkpoint[]): Promise<string[] | undefined> {
  const chosen = await window.showQuickPick(items(checkpoints), {
    title: "Serve one checkpoint",
    matchOnDescription: true,
  });
  return chosen && ["set", ...servedAs([chosen.checkpoint], [100])];
}

async function several(checkpoints: Checkpoint[]): Promise<string[] | undefined> {
  const options = {
    title: "Compare checkpoints",
    canPickMany: true,
    matchOnDescription: true,
    placeHolder: "Two or more",
  } as const;
  const chosen = await window.showQuickPick(items(checkpoints), options);
  if (chosen === undefined || chosen.length < 2) {
    return undefined;
  }
  const first = await window.showQuickPick(chosen, { title: "Which one are the others compared with?" });
  if (first === undefined) {
    return undefined;
  }
  const ordered = [first, ...chosen.filter((it) => it !== first)].map((it) => it.checkpoint);
  const shares = await window.showInputBox({
    title: "Compare checkpoints",
    prompt: `Shares of ${ordered.map(armName).join(", ")}`,
    value: equalShares(ordered.length),
    validateInput: (text) => {
      const read = readShares(text, ordered.length);
      return typeof read === "string" ? read : undefined;
    },
  });
  const read = shares === undefined ? undefined : readShares(shares, ordered.length);
  return Array.isArray(read) ? ["set", ...servedAs(ordered, read)] : undefined;
}

async function shadow(arms: Arms["arms"], checkpoints: Checkpoint[]): Promise<string[] | undefined> {
  const served = checkpoints.find((it) => it.aliases.includes("default"));
  const others = checkpoints.filter((it) => it !== served && arms.every((arm) => arm.checkpoint !== it.id));
  const chosen = await window.showQuickPick(items(others), { title: "Add a shadow", matchOnDescription: true });
  return chosen && ["set", ...withShadow(arms, served?.id ?? "default", chosen.checkpoint)];
}

async function stop(names: string[]): Promise<string[] | undefined> {
  const name = await window.showQuickPick(names, { title: "Stop an arm" });
  return name === undefined ? undefined : ["stop", name];
}
