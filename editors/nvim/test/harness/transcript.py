"""Replays editors/transcript/transcript.json: `python -m harness.transcript --truefill PATH --editors DIR`.

Every version of Neovim types the same into the same workspace, with the real server and the default model,
and all write into one journal. What came of it is compared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .cases import lua
from .editor import Editor, Home, wait
from .model import store_of

TRANSCRIPT = Path(__file__).resolve().parents[3] / "transcript"
KEYS = {"whole": "<Tab>", "word": "<M-Right>", "line": "<M-Down>"}
# A model that computes without optimisations on a busy machine takes its time.
PATIENCE = 300
# What an editor adds to what is typed is switched off.
PLAIN = "vim.cmd('filetype plugin off | filetype indent off')\nvim.o.autoindent = false\nvim.o.fixendofline = false\n"


class Replay:
    """One editor that goes through the steps."""

    def __init__(self, editor: Editor, files: dict[str, str]):
        self.editor, self.files = editor, files

    def step(self, step: dict[str, Any]) -> None:
        details = {key: value for key, value in step.items() if key != "do"}
        getattr(self, f"do_{step['do']}")(**details)

    def do_open(self, file: str) -> None:
        if self.editor.mode() != "n":
            self.leave()
        self.editor.command(f"edit {self.editor.home.workspace / file}")
        self.editor.attached(PATIENCE)

    def do_cursor(self, line: int, character: int) -> None:
        if self.editor.mode() != "n":
            self.leave()
        text = self.editor.lines()[line]
        before = text.encode("utf-16-le")[: 2 * character].decode("utf-16-le")
        self.editor.cursor(line, len(before.encode()))
        self.editor.keys("A" if before == text else "i")
        wait(lambda: self.editor.mode() == "i", "insert mode did not begin")

    def do_type(self, text: str) -> None:
        self.editor.type(text)

    def do_ask(self) -> None:
        self.editor.sees_none()
        self.editor.keys("<M-Bslash>")
        self.do_wait()

    def do_wait(self) -> None:
        wait(self.editor.ghost, lambda: f"no suggestion came; the screen is\n{self.editor.screen()}", PATIENCE)
        print(f"    {self.editor.ghost()!r}", file=sys.stderr)

    def do_accept(self, what: str) -> None:
        self.see()
        self.changing(KEYS[what])

    def do_dismiss(self) -> None:
        self.see()
        self.editor.keys("<C-]>")
        self.editor.sees_none()

    def do_undo(self) -> None:
        self.leave()
        self.changing("u")

    def do_save(self) -> None:
        self.editor.command("write")

    def see(self) -> None:
        """What is left of a suggestion may be drawn a moment later."""
        wait(self.editor.ghost, lambda: f"no suggestion is there; the screen is\n{self.editor.screen()}")

    def leave(self) -> None:
        self.editor.keys("<Esc>")
        wait(lambda: self.editor.mode() == "n", "insert mode did not end")

    def changing(self, keys: str) -> None:
        before = self.editor.tick()
        self.editor.keys(keys)
        wait(lambda: self.editor.tick() != before, f"{keys} changed nothing")

    def texts(self) -> dict[str, dict[str, str]]:
        code = "return table.concat(vim.api.nvim_buf_get_lines(vim.fn.bufnr(...), 0, -1, true), '\\n') .. '\\n'"
        path = self.editor.home.workspace
        texts = {name: self.editor.lua(code, str(path / name)) for name in self.files}
        return {name: {"text": text, "sha256": sha256(text.encode())} for name, text in texts.items()}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def restore(workspace: Path, files: dict[str, str]) -> None:
    """Puts the workspace back to how it is before the first step."""
    for name, text in files.items():
        path = workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def replay(home: Home, nvim: Path, transcript: dict[str, Any]) -> dict[str, Any]:
    known = {row["session"] for row in home.export()}
    restore(home.workspace, transcript["files"])
    setup = f"require('truefill').setup({{ settings = {lua(transcript['settings'])} }})"
    with Editor(nvim, home, setup, before=PLAIN, size=(120, 60)) as editor:
        run = Replay(editor, transcript["files"])
        for number, step in enumerate(transcript["steps"], 1):
            print(f"  {number:2} {json.dumps(step, ensure_ascii=False)}", file=sys.stderr)
            run.step(step)
        files = run.texts()
        editor.child.request("nvim_exec_lua", "vim.lsp.stop_client(vim.lsp.get_clients())", [])
        wait(lambda: not editor.lua("return #vim.lsp.get_clients() > 0"), "the server does not end", 30)
    return {"files": files, "rows": [row for row in home.export() if row["session"] not in known]}


def main() -> int:
    parser = argparse.ArgumentParser(prog="run transcript")
    parser.add_argument("--truefill", type=Path, required=True)
    parser.add_argument("--editors", type=Path, required=True)
    parser.add_argument("--nvim", choices=["0.11", "0.12", "all"], default="all")
    options = parser.parse_args()
    source = (TRANSCRIPT / "transcript.json").read_bytes()
    transcript = json.loads(source)
    folder = options.editors / "transcript"
    store = store_of(options.truefill, options.editors)
    home = Home(options.truefill, store, folder / "truefill", folder / "workspace")
    results = []
    for version in ["0.11", "0.12"] if options.nvim == "all" else [options.nvim]:
        name, begun = f"Neovim {version}", time.monotonic()
        print(name, file=sys.stderr)
        result = replay(home, options.editors / f"nvim-{version}" / "nvim", transcript)
        told = {"editor": name, "transcript_sha256": sha256(source), **result}
        results.append(folder / f"nvim-{version}.json")
        results[-1].write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{name}: {results[-1]} after {time.monotonic() - begun:.0f} s", file=sys.stderr)
    home.remove()
    if len(results) < 2:
        return 0
    return subprocess.run([sys.executable, TRANSCRIPT / "compare.py", *results], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
