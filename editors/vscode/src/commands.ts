// The commands of the palette, the menu and the walkthrough.
import {
  commands,
  type Disposable,
  type ExtensionContext,
  type LogOutputChannel,
  type TextDocument,
  window,
} from "vscode";
import { chooseArms } from "./armsPicker.ts";
import { switchLanguage } from "./languageSwitch.ts";
import type { Outcomes } from "./outcomes.ts";
import { CommandFailed } from "./program.ts";
import { PromptView } from "./promptView.ts";
import { pullModel } from "./pull.ts";
import { show } from "./remedies.ts";
import type { Session } from "./session.ts";
import { StatsView } from "./statsView.ts";
import type { Toggles } from "./toggles.ts";
import { keepContext, locateProgram, openWalkthrough, tryIt } from "./welcome.ts";
import { explain } from "./why.ts";
import { DISABLED_LANGUAGE, offEverywhere } from "./whyText.ts";

/** What commands work with. */
export interface Parts {
  context: ExtensionContext;
  log: LogOutputChannel;
  session: Session;
  toggles: Toggles;
  outcomes: Outcomes;
  /** Shows what a command has changed. */
  refresh: () => void;
}

export function registerCommands(parts: Parts): Disposable[] {
  const { session, toggles, outcomes, log } = parts;
  const prompt = new PromptView(session);
  const stats = new StatsView(session);
  const here = (act: (document: TextDocument) => unknown) => async () => {
    const document = window.activeTextEditor?.document;
    if (document === undefined) {
      return void window.showInformationMessage("Truefill: open a file first.");
    }
    await act(document);
    parts.refresh();
    await hide();
  };
  const all: Record<string, (...parameters: never[]) => unknown> = {
    menu: () => menu(parts),
    toggle: () => toggles.everywhere().then(hide),
    toggleLanguage: here((document) => switchLanguage(session, toggles, document)),
    toggleHere: here((document) => toggles.inFile(document)),
    suggest: () => commands.executeCommand("editor.action.inlineSuggest.trigger"),
    acceptWord: () => outcomes.acceptPart("Word"),
    acceptLine: () => outcomes.acceptPart("Line"),
    nextSuggestion: () => outcomes.turn(1),
    previousSuggestion: () => outcomes.turn(-1),
    dismiss: () => outcomes.dismiss(),
    whyNoSuggestion: () => explain(session, toggles),
    showPrompt: () => prompt.show(),
    showStats: () => stats.show(),
    chooseArms: () => chooseArms(session),
    pullModel: () => pullModel(session, log),
    pullDefault: () => pullModel(session, log, "default"),
    restart: () => restart(session),
    openLog: () => log.show(),
    locateProgram: () => locateProgram(),
    openWalkthrough: () => openWalkthrough(),
    tryIt: () => tryIt(),
    keepNoContext: () => keepContext(false),
    keepContext: () => keepContext(true),
  };
  const registered = Object.entries(all).map(([name, act]) =>
    commands.registerCommand(`truefill.${name}`, (...parameters: never[]) => told(() => act(...parameters), log)),
  );
  return [...registered, prompt, stats];
}

/** What is turned off goes at once. */
async function hide(): Promise<void> {
  await commands.executeCommand("editor.action.inlineSuggest.hide");
}

async function restart(session: Session): Promise<void> {
  await session.restart();
  if (session.state.kind === "off") {
    await show(offEverywhere());
  }
}

/** Tells the user what failed, in the program's own words. */
async function told(act: () => unknown, log: LogOutputChannel): Promise<void> {
  try {
    await act();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    log.error(error instanceof CommandFailed ? message : error instanceof Error && error.stack ? error.stack : message);
    const open = "Open Log";
    void window.showErrorMessage(`Truefill: ${message}`, open).then((chosen) => chosen === open && log.show());
  }
}

/** What a click on the status bar offers. */
async function menu({ session, toggles }: Parts): Promise<void> {
  const document = window.activeTextEditor?.document;
  const state = session.state.kind;
  const items: { label: string; command: string }[] = [];
  const add = (label: string, command: string) => items.push({ label, command: `truefill.${command}` });
  if (document !== undefined) {
    add("$(question) Why is there no suggestion?", "whyNoSuggestion");
    const language = document.languageId;
    const isOff = toggles.isOffInLanguage(language) || session.statusOf(document.uri)?.reason === DISABLED_LANGUAGE;
    add(`${toggles.isOffIn(document) ? "$(check) Turn on" : "$(circle-slash) Turn off"} in this file`, "toggleHere");
    add(`${isOff ? "$(check) Turn on" : "$(circle-slash) Turn off"} in ${language}`, "toggleLanguage");
  }
  add(state === "off" ? "$(check) Turn on everywhere" : "$(circle-slash) Turn off everywhere", "toggle");
  add("$(graph) Statistics", "showStats");
  if (document !== undefined) {
    add("$(note) Show the prompt", "showPrompt");
  }
  add("$(beaker) Choose what is served", "chooseArms");
  add("$(cloud-download) Pull a model", "pullModel");
  add("$(debug-restart) Restart", "restart");
  add("$(output) Open the log", "openLog");
  items.push({ label: "$(gear) Settings", command: "workbench.action.openSettings" });
  const chosen = await window.showQuickPick(items, { title: "Truefill" });
  if (chosen !== undefined) {
    await commands.executeCommand(
      chosen.command,
      ...(chosen.command.startsWith("truefill.") ? [] : ["@ext:truefill.truefill"]),
    );
  }
}
