// The item in the status bar.
import {
  type Disposable,
  MarkdownString,
  StatusBarAlignment,
  type StatusBarItem,
  ThemeColor,
  window,
  workspace,
} from "vscode";
import type { Session } from "./session.ts";
import { statusText } from "./statusText.ts";
import type { Toggles } from "./toggles.ts";

const ACTIONS = [
  ["Why is there no suggestion?", "truefill.whyNoSuggestion"],
  ["Statistics", "truefill.showStats"],
  ["Log", "truefill.openLog"],
];

export class StatusBar implements Disposable {
  private readonly item: StatusBarItem;
  private readonly session: Session;
  private readonly toggles: Toggles;

  constructor(session: Session, toggles: Toggles) {
    this.session = session;
    this.toggles = toggles;
    this.item = window.createStatusBarItem("truefill.status", StatusBarAlignment.Right, 100);
    this.item.name = "Truefill";
    this.item.command = "truefill.menu";
    this.update();
    this.item.show();
  }

  update(): void {
    const document = window.activeTextEditor?.document;
    const { text, lines, level } = statusText({
      state: this.session.state,
      server: this.session.server,
      document: document && this.session.statusOf(document.uri),
      arms: this.session.arms,
      arm: document && this.session.armOf(document.uri),
      off: document && this.toggles.off(document)?.message,
      restricted: !workspace.isTrusted,
    });
    this.item.text = text;
    this.item.tooltip = tooltip(lines);
    this.item.accessibilityInformation = { label: `${text.replace(/\$\(.*?\) /, "")}. ${lines.join(" ")}` };
    this.item.backgroundColor = level === "plain" ? undefined : new ThemeColor(`statusBarItem.${level}Background`);
  }

  dispose(): void {
    this.item.dispose();
  }
}

function tooltip(lines: readonly string[]): MarkdownString {
  const links = ACTIONS.map(([label, command]) => `[${label}](command:${command})`);
  const markdown = new MarkdownString(`${lines.join("\n\n")}\n\n---\n\n${links.join(" · ")}`);
  markdown.isTrusted = { enabledCommands: ACTIONS.map(([, command]) => command ?? "") };
  return markdown;
}
