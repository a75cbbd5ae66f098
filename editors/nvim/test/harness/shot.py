"""Draws ghost text of the default model: `python -m harness.shot --truefill PATH --editors DIR [OUT.svg]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .editor import PLUGIN, Editor, Home, wait
from .model import store_of
from .svg import image

PATIENCE = 120
# A place where the model goes on with more than a line.
FILE = '''"""Keeps track of what is in stock."""

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
'''
SETUP = """
vim.o.number, vim.o.showmode, vim.o.ruler, vim.o.laststatus = true, true, false, 2
vim.api.nvim_set_hl(0, "ComplHint", { fg = "#8b93a7", italic = true })
vim.o.statusline = " %t %m%=%{v:lua.require('truefill').statusline()}  %{&filetype}  %l:%c "
vim.opt.fillchars:append({ eob = " " })
require("truefill").setup({ settings = { journal = { context = false }, suggest = { invoked_budget_ms = 60000 } } })
"""


def shot(options: argparse.Namespace) -> str:
    """The image; the editor and its home are gone then."""
    home = Home(options.truefill, store_of(options.truefill, options.editors))
    try:
        nvim = options.editors / f"nvim-{options.nvim}" / "nvim"
        with Editor(nvim, home, SETUP, size=(84, 27), marked=False) as editor:
            before, after = FILE.split("¦")
            editor.open("stock.py", before + after, patience=PATIENCE)
            editor.cursor(before.count("\n"), 0)
            editor.insert()
            editor.type(":")
            editor.keys("<M-Bslash>")
            wait(lambda: editor.lua("return require('truefill').visible()"), lambda: editor.screen(), PATIENCE)
            wait(lambda: "truefill ●" in editor.screen(), lambda: editor.screen())
            print(editor.screen(), file=sys.stderr)
            return image(editor.grid, f"Truefill's ghost text in Neovim {options.nvim}")
    finally:
        home.remove()


def main() -> int:
    parser = argparse.ArgumentParser(prog="run shot")
    parser.add_argument("--truefill", type=Path, required=True)
    parser.add_argument("--editors", type=Path, required=True)
    parser.add_argument("--nvim", choices=["0.11", "0.12"], default="0.12")
    parser.add_argument("out", type=Path, nargs="?", default=PLUGIN / "screen.svg")
    options = parser.parse_args()
    options.out.write_text(shot(options), encoding="utf-8")
    print(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
