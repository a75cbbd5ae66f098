// Takes a picture of ghost text of the default model: node shot.ts OUT.png
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeBrowser, Editor } from "./harness/editor.ts";
import { Stage } from "./harness/stage.ts";

/** The place is marked; the model goes on with more than a line. */
const FILE = `"""Keeps track of what is in stock."""

from dataclasses import dataclass


@dataclass
class Item:
    name: str
    price: float
    quantity: int = 0


class Stock:
    def __init__(self) -> None:
        self.items: dict[str, Item] = {}

    def add(self, item: Item) -> None:
        self.items[item.name] = item

    def find(self, name: str) -> Item | None:
        for item in self.items.values()¦

    def total(self) -> float:
        return sum(item.price * item.quantity for item in self.items.values())
`;

const LOOKS = {
  "breadcrumbs.enabled": false,
  "editor.cursorBlinking": "solid",
  "editor.fontSize": 14,
  "editor.lineNumbersMinChars": 3,
  "editor.scrollBeyondLastLine": false,
  "editor.stickyScroll.enabled": false,
  "explorer.openEditors.visible": 0,
  "outline.showVariables": false,
  "window.menuBarVisibility": "hidden",
  "workbench.colorTheme": "Dark Modern",
  "workbench.layoutControl.enabled": false,
};

async function shot(out: string): Promise<void> {
  const [before = "", after = ""] = FILE.split("¦");
  const files = { "stock.py": before + after, "README.md": "# Stock\n", "tests/test_stock.py": "" };
  // The folder's name is in the picture.
  const folder = mkdtempSync(join(tmpdir(), "truefill-shot-"));
  const stage = await Stage.set({ model: true, files, settings: LOOKS, workspace: join(folder, "stock") });
  try {
    const budget = { "truefill.suggest.invoked_budget_ms": 60_000 };
    const question = { "truefill.journal.context": false };
    stage.machine({ "truefill.server.path": stage.program, ...question, ...budget });
    const editor = await Editor.open(stage, true, 1.5);
    await editor.openFile("stock.py");
    await editor.goTo(before.split("\n").length - 1, before.split("\n").at(-1)?.length ?? 0);
    await editor.type(":");
    await editor.press("Alt+Backslash");
    console.error(await editor.anyGhost());
    await editor.page.screenshot({ path: out });
  } finally {
    await closeBrowser();
    await stage.end();
    rmSync(folder, { recursive: true });
  }
}

const [out] = process.argv.slice(2);
if (out === undefined) {
  throw new Error("expected the picture's file");
}
await shot(out);
console.log(out);
