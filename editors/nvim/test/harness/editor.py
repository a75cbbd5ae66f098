"""A Neovim with the plugin, in a home of its own, and what a test asks of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

from .grid import Grid
from .rpc import Child

PLUGIN = Path(__file__).resolve().parents[2]
# What ghost text is drawn with: ours, and that of Neovim's own module.
GHOST = {"TruefillGhost", "TruefillGhostMore", "ComplHint", "ComplHintMore"}
PATIENCE = float(os.environ.get("TRUEFILL_TEST_PATIENCE", "15"))
# A group that only links to another one is drawn under the other one's name.
MARKED = "".join(f"vim.api.nvim_set_hl(0, '{group}', {{ fg = 0x8087A2, italic = true }})\n" for group in sorted(GHOST))


class Timeout(AssertionError):
    """Something did not come in time."""


def wait(condition: Callable[[], Any], what: Callable[[], str] | str, patience: float = PATIENCE):
    """The first true value of `condition`, asked for again and again."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Timeout(what if isinstance(what, str) else what())
        time.sleep(0.01)


def answer(text: str | list[str], when: str = "", **more: Any) -> dict[str, Any]:
    """An answer of the scripted engine to texts before the cursor that end with `when`."""
    texts = [text] if isinstance(text, str) else text
    return {"when_prefix_ends": when, "texts": texts, **more}


class Home:
    """Folders of a user who has nothing yet, a workspace, and a `truefill` for it.

    `data` and `workspace` name folders that are to outlive it.
    """

    def __init__(
        self, truefill: Path, store: Path | None = None, data: Path | None = None, workspace: Path | None = None
    ):
        self.path = Path(tempfile.mkdtemp(prefix="truefill-nvim-"))
        self.data = data or self.path / "truefill"
        self.workspace = workspace or self.path / "workspace"
        (self.workspace / ".git").mkdir(parents=True, exist_ok=True)
        (self.workspace / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        self.truefill, self.store = truefill, store
        self.binary = self.path / "bin" / "truefill"
        self.script_file = self.path / "script.json"
        self.record_file = self.path / "record.jsonl"
        self.binary.parent.mkdir()
        self.use(truefill)

    def use(self, truefill: Path, arguments: str = "") -> None:
        """Makes `truefill serve` of this home be started with these arguments."""
        self.binary.write_text(
            "#!/bin/sh\n"
            f'[ "$1" = serve ] && shift && exec \'{truefill}\' serve {arguments} "$@"\n'
            f"exec '{truefill}' \"$@\"\n"
        )
        self.binary.chmod(0o755)

    def script(self, answers: list[dict[str, Any]], **more: Any) -> None:
        """Answers by a script instead of a model."""
        script = {"answers": answers, "record": str(self.record_file), **more}
        self.script_file.write_text(json.dumps(script))
        self.use(self.truefill, f"--engine 'scripted:{self.script_file}'")

    def environment(self) -> dict[str, str]:
        folders = {
            name: str(self.path / name.lower())
            for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
        }
        own = {
            "HOME": str(self.path),
            "PATH": f"{self.binary.parent}:{os.environ.get('PATH', '')}",
            "TRUEFILL_HOME": str(self.data),
            "NVIM_LOG_FILE": str(self.path / "nvim.log"),
            "LANG": "C.UTF-8",
        }
        if self.store:
            own["TRUEFILL_STORE"] = str(self.store)
        return {**os.environ, **folders, **own}

    def engine_calls(self) -> list[dict[str, Any]]:
        """What the scripted engine was asked so far."""
        try:
            lines = self.record_file.read_text().splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def run(self, *arguments: str) -> str:
        """What a command of the program prints; it may fail."""
        command = [str(self.truefill), *arguments]
        return subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False).stdout

    def export(self) -> list[dict[str, Any]]:
        """The journal's rows, code included."""
        return [json.loads(line) for line in self.run("journal", "export", "--with-code").splitlines()]

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


class Editor:
    """A running Neovim."""

    def __init__(
        self, nvim: Path, home: Home, init: str, *, before: str = "", size: tuple[int, int] = (80, 24),
        bare: bool = False, marked: bool = True,
    ):
        """`bare` takes the configuration that lies in the home as it is; `marked` ghost text can be told from
        other text on the screen."""
        self.home, self.grid = home, Grid()
        file = home.path / "init.lua"
        plugin = f"vim.opt.runtimepath:prepend('{PLUGIN}')\n"
        # Swap files and messages about them have no part in this.
        quiet = "vim.o.swapfile = false\nvim.o.shortmess = vim.o.shortmess .. 'AIcF'\n"
        file.write_text(plugin + quiet + (MARKED if marked else "") + before + "\n" + init + "\n")
        assignments = [f"{name}={value}" for name, value in home.environment().items()]
        argv = ["env", "-i", "-C", str(home.workspace), *assignments, str(nvim), "--embed", "-i", "NONE"]
        self.child = Child(argv if bare else [*argv, "-u", str(file)], *size, self.grid.redraw)
        try:
            wait(lambda: self.lua("return vim.v.vim_did_enter") == 1, "the configuration is not done")
        except BaseException:
            print(self.screen(), file=sys.stderr)
            self.child.quit()
            raise

    def __enter__(self) -> "Editor":
        return self

    def __exit__(self, *_: Any) -> None:
        self.child.quit()

    # What it is told.

    def lua(self, code: str, *arguments: Any) -> Any:
        return self.child.request("nvim_exec_lua", code, list(arguments))

    def command(self, command: str) -> None:
        self.child.request("nvim_command", command)

    def keys(self, keys: str) -> None:
        """Keys as `:help key-notation` writes them, all at once."""
        self.child.request("nvim_input", keys)

    def type(self, text: str) -> None:
        """Text key by key, each one taken before the next is pressed."""
        for key in text:
            before = self.tick()
            self.keys({"<": "<lt>", "\n": "<CR>"}.get(key, key))
            wait(lambda: self.tick() != before, lambda: f"the key {key!r} changed nothing")

    def tick(self) -> tuple[int, int]:
        buffer = self.child.request("nvim_get_current_buf")
        return buffer.number, self.child.request("nvim_buf_get_changedtick", buffer)

    def open(self, name: str, text: str | bytes = "", *, attached: bool = True, patience: float = PATIENCE) -> None:
        """Opens a file of the workspace, or of anywhere, and waits for the server."""
        path = self.home.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        self.command(f"edit {path}")
        if attached:
            self.attached(patience)

    def attached(self, patience: float = PATIENCE) -> None:
        code = "return #vim.lsp.get_clients({ bufnr = 0, name = 'truefill' }) > 0"
        wait(lambda: self.lua(code), "no server was attached")
        code = "return require('truefill').state().kind"
        wait(lambda: self.lua(code) in ("Normal", "Warning", "Error"),
             lambda: f"the server is {self.lua(code)}", patience)

    def insert(self) -> None:
        """Goes on inserting behind the last character of the cursor's line."""
        self.keys("A")
        wait(lambda: self.mode().startswith("i"), lambda: f"the mode is {self.mode()}")

    def cursor(self, line: int, byte: int) -> None:
        """Puts the cursor there, both from 0."""
        self.child.request("nvim_win_set_cursor", 0, [line + 1, byte])

    # What it shows.

    def mode(self) -> str:
        return self.child.request("nvim_get_mode")["mode"]

    def lines(self) -> list[str]:
        return self.child.request("nvim_buf_get_lines", 0, 0, -1, True)

    def screen(self) -> str:
        lines = self.grid.lines()
        return "\n".join(line for line in lines if line != "~")

    def ghost(self) -> str:
        """The ghost text on the screen, line by line."""
        return "\n".join(self.grid.in_groups(GHOST))

    def sees(self, ghost: str) -> None:
        """Waits until this ghost text is on the screen."""
        wait(lambda: self.ghost() == ghost, lambda: f"expected ghost text {ghost!r}, the screen is\n"
             f"{self.screen()}\nwith ghost text {self.ghost()!r}; messages: {self.messages()}")

    def ghosts(self, ghost: str) -> None:
        """Waits until this ghost text is somewhere on the screen, if several windows show it."""
        wait(lambda: ghost in self.ghost(), lambda: f"expected ghost text {ghost!r}, the screen is\n{self.screen()}")

    def sees_none(self) -> None:
        self.sees("")

    def has(self, *lines: str) -> None:
        """Waits until the buffer is this."""
        wait(lambda: self.lines() == list(lines), lambda: f"expected {lines}, the buffer is {self.lines()}; "
             f"the screen is\n{self.screen()}")

    def shows(self, text: str) -> None:
        """Waits until this text is anywhere on the screen."""
        wait(lambda: text in self.screen(), lambda: f"expected {text!r} on the screen:\n{self.screen()}")

    def messages(self) -> str:
        return self.child.request("nvim_exec2", "messages", {"output": True})["output"]

    def told(self, text: str = "") -> str:
        """What the plugin told the user, once this is in it."""
        code = "return table.concat(require('truefill.tell').history(), '\\n')"
        wait(lambda: text in self.lua(code), lambda: f"expected the message {text!r}, found\n{self.lua(code)}")
        return self.lua(code)

    # What it asks.

    def count_requests(self) -> None:
        """From now on, the cursor's line of each request for suggestions is kept."""
        self.lua("""
            local rpc = vim.lsp.get_clients({ name = 'truefill' })[1].rpc
            local ask = rpc.ask
            Requests = {}
            rpc.ask = function(...)
                table.insert(Requests, vim.api.nvim_get_current_line())
                return ask(...)
            end
        """)

    def requests(self) -> list[str]:
        return self.lua("return Requests")

    def settled(self) -> None:
        """Waits until no answer is under way: what was to come has come."""
        code = "local held = require('truefill.session').here(); return held ~= nil and held.request == nil"
        wait(lambda: self.lua(code), "a request goes on")

    # What the journal says.

    def rows(self, fits: Callable[[list[dict]], bool]) -> list[dict[str, Any]]:
        """The journal's rows, once they fit."""
        rows: list[dict[str, Any]] = []

        def fit() -> bool:
            rows[:] = self.home.export()
            return fits(rows)

        wait(fit, lambda: f"the journal has {json.dumps([outcomes(row) for row in rows], indent=1)}")
        return rows

    def outcomes(self, expected: list[list[Any]]) -> None:
        """Waits until these are the reported outcomes, of all suggestions that have some."""
        def found(rows: list[dict]) -> bool:
            return [reported for reported in map(outcomes, rows) if reported] == expected

        self.rows(found)


def outcomes(row: dict[str, Any]) -> list[Any]:
    """What the editor reported of a suggestion, in short."""
    reported = []
    for outcome in row["outcomes"]:
        if outcome.get("inferred") or outcome["event"] in ("served", "typed_through"):
            continue
        details = [outcome[key] for key in ("extent", "chars", "reason") if outcome.get(key) is not None]
        reported.append([outcome["event"], *details])
    return reported
