// The statistics, as a page beside the files.
import { type Disposable, ViewColumn, type WebviewPanel, window } from "vscode";
import { CommandFailed, complaint, run } from "./program.ts";
import type { Session } from "./session.ts";
import { type Report, statsPage } from "./statsPage.ts";

export class StatsView implements Disposable {
  private readonly session: Session;
  private panel: WebviewPanel | undefined;

  constructor(session: Session) {
    this.session = session;
  }

  async show(): Promise<void> {
    const page = statsPage(await this.report());
    if (this.panel === undefined) {
      const options = { enableScripts: false, enableCommandUris: ["truefill.showStats", "truefill.chooseArms"] };
      this.panel = window.createWebviewPanel("truefill.stats", "Truefill: Statistics", ViewColumn.Active, options);
      this.panel.onDidDispose(() => {
        this.panel = undefined;
      });
    }
    this.panel.webview.html = page;
    this.panel.reveal();
  }

  dispose(): void {
    this.panel?.dispose();
  }

  private async report(): Promise<Report | undefined> {
    const { code, stdout, stderr } = await run(this.session.requireProgram(), ["stats", "--json"]);
    if (code === 0) {
      return JSON.parse(stdout) as Report;
    }
    // Before the first row there is no file, which is no failure.
    if (/expected a journal, found no file/.test(stderr)) {
      return undefined;
    }
    throw new CommandFailed(complaint(stderr) ?? `\`truefill stats\` ended with status ${code}.`);
  }
}
