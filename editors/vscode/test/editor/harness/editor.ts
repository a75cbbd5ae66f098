// The editor's window in a headless browser, and what a user does and sees in it.
import { basename } from "node:path";
import { type Browser, type BrowserContext, chromium, type Frame, type Locator, type Page } from "playwright-core";
import { chromium as chromiumPath, PATIENCE } from "./places.ts";
import { type Stage, until } from "./stage.ts";

const STATUS = "[id='truefill.truefill.truefill.status']";

let browser: Promise<Browser> | undefined;

export async function closeBrowser(): Promise<void> {
  await (await browser)?.close();
  browser = undefined;
}

export class Editor {
  readonly page: Page;
  private readonly stage: Stage;

  private constructor(page: Page, stage: Stage) {
    this.page = page;
    this.stage = stage;
  }

  /** Opens a user's first window; `ready` waits until the server can suggest. */
  static async open(stage: Stage, ready = true, sharpness = 1): Promise<Editor> {
    browser ??= chromium.launch({ executablePath: chromiumPath(), args: ["--no-sandbox"] });
    const size = { width: 1100, height: 620 };
    const context = await (await browser).newContext({ viewport: size, deviceScaleFactor: sharpness });
    return Editor.window(stage, context, stage.url, ready);
  }

  /** Opens an empty window of the same user: what the editor remembers lies in the browser. */
  another(): Promise<Editor> {
    return Editor.window(this.stage, this.page.context(), new URL("/?ew=true", this.stage.url).href, true);
  }

  private static async window(stage: Stage, context: BrowserContext, url: string, ready: boolean): Promise<Editor> {
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.goto(url);
    await page.waitForSelector(".monaco-workbench");
    const editor = new Editor(page, stage);
    if (ready) {
      await editor.status((text) => text.includes("sparkle"));
    }
    return editor;
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }

  /** Opens a file of the workspace with the cursor at its end. */
  async openFile(path: string): Promise<void> {
    const name = path.split("/").at(-1) ?? path;
    await this.page.keyboard.press("Control+P");
    await this.pick(path, name);
    await this.opened(name);
    await this.press("Control+End");
  }

  /** Waits until a tab is in front and what is typed goes there. */
  async opened(name: string): Promise<void> {
    await this.page.locator(`.tab.active[data-resource-name="${name}"]`).waitFor();
    await this.page.locator(".editor-instance .monaco-editor.focused .view-line").first().waitFor();
    // What asks for suggestions is made when the window has time for it, and misses what was typed before.
    const idle = "new Promise((resolve) => requestIdleCallback(resolve, { timeout: 5000 }))";
    await this.page.evaluate(`${idle}.then(() => ${idle})`);
  }

  /** Puts the cursor where a line and a character say, both from 0. */
  async goTo(line: number, character: number): Promise<void> {
    await this.press("Control+G");
    await this.pick(`:${line + 1}:${character + 1}`, `${line + 1}`);
    await this.page.locator(".quick-input-widget").waitFor({ state: "hidden" });
  }

  /** Types into the list that is open, and takes the entry that it leads to. */
  private async pick(text: string, entry: string): Promise<void> {
    await this.page.locator(".quick-input-widget input").fill(text);
    await this.page.locator(".quick-input-list .monaco-list-row.focused").filter({ hasText: entry }).waitFor();
    await this.page.keyboard.press("Enter");
  }

  /** Types key by key. */
  async type(text: string, delay = 30): Promise<void> {
    await this.page.keyboard.type(text, { delay });
  }

  async press(...keys: string[]): Promise<void> {
    for (const key of keys) {
      await this.page.keyboard.press(key);
    }
  }

  /** Runs a command by its title in the palette. */
  async command(title: string): Promise<void> {
    await this.page.keyboard.press("F1");
    await this.pick(`>${title}`, title);
  }

  /** The entries of the list that is open, once it is. */
  async entries(): Promise<string[]> {
    const rows = this.page.locator(".quick-input-widget:visible .monaco-list-row .monaco-icon-label .label-name");
    await rows.first().waitFor();
    return rows.allTextContents();
  }

  /** Answers the input that is open; its title tells it from the one before. */
  async answerInput(title: string, text: string): Promise<void> {
    const input = this.page
      .locator(".quick-input-widget:visible")
      .filter({ hasText: title })
      .locator("input[type=text]");
    await input.fill(text);
    await this.page.keyboard.press("Enter");
  }

  /** Names a file in the dialog that is open; `title` tells it from others, `button` takes the file. */
  async chooseFile(title: string, file: string, button: string): Promise<void> {
    const dialog = this.page.locator(".quick-input-widget:visible").filter({ hasText: title });
    const row = dialog.locator(".monaco-list-row");
    await row.first().waitFor();
    // While the dialog reads the folder that it begins with, it takes back what is typed.
    await until(`\`${file}\` in the dialog`, async () => {
      await dialog.locator("input[type=text]").fill(file);
      return row
        .filter({ hasText: basename(file) })
        .waitFor({ timeout: 1000 })
        .then(() => true)
        .catch(() => false);
    });
    await dialog.getByRole("button", { name: button, exact: true }).click();
    await dialog.waitFor({ state: "hidden" });
  }

  /** Chooses an entry of the list that is open; `title` tells it from the one before. */
  async choose(entry: string, title = ""): Promise<void> {
    const list = this.page.locator(".quick-input-widget:visible").filter({ hasText: title });
    await list.locator(".monaco-list-row").filter({ hasText: entry }).first().click();
  }

  /** Checks entries of the list that is open, and goes on. */
  async check(...entries: string[]): Promise<void> {
    for (const entry of entries) {
      await this.choose(entry);
    }
    await this.page.keyboard.press("Enter");
  }

  /** The ghost text that is visible now, empty without any. */
  async ghostNow(): Promise<string> {
    const parts = (await this.page.evaluate(`(() => {
      const top = (line) => line.getBoundingClientRect().top;
      const all = [...document.querySelectorAll(".editor-instance .monaco-editor .view-line")].sort((one, other) => top(one) - top(other));
      // What goes beyond the first line stands in a zone of its own below it.
      const [below, lines] = [all.filter((it) => it.closest(".suggest-preview-text")), all.filter((it) => !it.closest(".suggest-preview-text"))];
      const inline = lines.map((line) => [...line.querySelectorAll("[class*=ghost-text]")].map((it) => it.textContent).join(""));
      return [...inline.filter((it) => it !== ""), ...below.map((it) => it.textContent)];
    })()`)) as string[];
    return parts.join("\n").replaceAll("\u00a0", " ").replaceAll("\u200c", "");
  }

  /** Waits until the ghost text is so. */
  async ghost(expected: string): Promise<void> {
    let last = "";
    await until(`the ghost text \`${expected}\``, async () => {
      last = await this.ghostNow();
      return last === expected;
    }).catch((error: Error) => {
      throw new Error(`${error.message}; it was \`${last}\``);
    });
  }

  /** Waits until some ghost text is there. */
  async anyGhost(): Promise<string> {
    return until("ghost text", async () => (await this.ghostNow()) || undefined);
  }

  /** Looks for a while and says whether no ghost text came. */
  async noGhost(milliseconds = 1000): Promise<boolean> {
    const end = Date.now() + milliseconds;
    while (Date.now() < end) {
      if ((await this.ghostNow()) !== "") {
        return false;
      }
      await this.page.waitForTimeout(50);
    }
    return true;
  }

  /** Saves the file, and waits until the disk has this text. */
  async saved(name: string, expected: string | RegExp): Promise<void> {
    let last = "";
    await until(`the text ${JSON.stringify(expected)}`, async () => {
      // Pressed again where the editor was not done with the keys before.
      await this.press("Control+S");
      last = this.stage.read(name);
      return typeof expected === "string" ? last === expected : expected.test(last);
    }).catch((error: Error) => {
      throw new Error(`${error.message} to ${name}; it has ${JSON.stringify(last)}`);
    });
  }

  /** The status bar's item: icon, text and explanation; once it fits. */
  async status(fits: (text: string) => boolean): Promise<string> {
    let last = "";
    return until("the status bar's item", async () => {
      const item = this.page.locator(STATUS);
      if ((await item.count()) === 0) {
        return undefined;
      }
      const icon = await item
        .locator(".codicon")
        .first()
        .getAttribute("class")
        .catch(() => "");
      const name = /codicon-([a-z-]+)/.exec(icon ?? "")?.[1] ?? "";
      last = `${name} ${(await item.textContent())?.trim()} | ${await item.getAttribute("aria-label")}`;
      return fits(last) ? last : undefined;
    }).catch((error: Error) => {
      throw new Error(`${error.message}; it was \`${last}\``);
    });
  }

  clickStatus(): Promise<void> {
    return this.page.locator(`${STATUS} a`).click();
  }

  /** Waits for a message that holds a text. */
  async message(text: string | RegExp): Promise<Locator> {
    const toast = this.page.locator(".notification-toast .notification-list-item").filter({ hasText: text }).first();
    await toast.waitFor();
    return toast;
  }

  /** Presses a message's button. */
  async answer(message: Locator, button: string): Promise<void> {
    await message.hover();
    await message.getByRole("button", { name: button, exact: true }).click();
  }

  async clearMessages(): Promise<void> {
    await this.command("Notifications: Clear All Notifications");
  }

  /** The text of the active editor that may be scrolled, as far as it is on the screen. */
  async visibleText(): Promise<string> {
    const lines = await this.page.locator(".editor-instance .monaco-editor .view-line").allTextContents();
    return lines.join("\n").replaceAll("\u00a0", " ");
  }

  /** Waits until a step of the walkthrough that is open is checked, or is not. */
  async step(title: string, done: boolean): Promise<void> {
    const step = this.page.locator(".getting-started-step").filter({ hasText: title });
    const checked = step.locator(".complete.codicon-getting-started-step-checked");
    await step.waitFor();
    await until(`\`${title}\` ${done ? "" : "un"}checked`, async () => (await checked.isVisible()) === done);
  }

  /** The frame of a web view that holds a text. */
  async webview(text: string): Promise<Frame> {
    return until(`a web view with \`${text}\``, async () => {
      for (const frame of this.page.frames()) {
        const body = await frame
          .locator("body")
          .textContent({ timeout: 200 })
          .catch(() => "");
        if (frame !== this.page.mainFrame() && body?.includes(text)) {
          return frame;
        }
      }
      return undefined;
    });
  }
}
