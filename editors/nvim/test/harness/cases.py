"""Tests as plain functions: each gets a `Case`, and runs in every setup that it is for."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from .editor import Editor, Home, wait

# A version of Neovim and who draws the ghost text there.
SETUPS = [("0.11", "own"), ("0.12", "native"), ("0.12", "own")]

# A test that wants a delay sets it; the others should not wait.
SETTINGS = {
    "suggest": {"delay_min_ms": 0, "delay_max_ms": 0, "automatic_budget_ms": 20000,
                "invoked_budget_ms": 20000, "alternatives_ms": 5000},
    "journal": {"context": True},
}


class Skipped(Exception):
    """A test needs something that is not here."""


@dataclass
class Test:
    name: str
    run: Callable[["Case"], None]
    setups: list[tuple[str, str]]


@dataclass
class Case:
    """What one run of a test uses; everything is put away at its end."""

    nvim: Path
    version: str
    ghost: str
    truefill: Path
    plugins: Path | None = None
    editors: list[Editor] = field(default_factory=list)
    homes: list[Home] = field(default_factory=list)

    @property
    def is_native(self) -> bool:
        return self.ghost == "native"

    def plugin(self, name: str) -> Path:
        """Another plugin's folder; a test whose plugin is not there is skipped."""
        if self.plugins is None or not (self.plugins / name).is_dir():
            raise Skipped(f"there is no {name}; --plugins names a folder with it")
        return self.plugins / name

    def home(self) -> Home:
        self.homes.append(Home(self.truefill))
        return self.homes[-1]

    def start(self, home: Home, options: str = "", *, settings: Any = None, **more: Any) -> Editor:
        """An editor with the plugin; `options` are fields of setup()'s table in Lua."""
        told = lua(SETTINGS if settings is None else settings)
        setup = f"require('truefill').setup({{ ghost = '{self.ghost}', settings = {told}, {options} }})"
        return self.run(home, setup, **more)

    def run(self, home: Home, init: str, **more: Any) -> Editor:
        """An editor that starts with this."""
        self.editors.append(Editor(self.nvim, home, init, **more))
        return self.editors[-1]

    def edit(self, text: str, answers: list[dict], options: str = "", *, name: str = "a.py",
             newline: str = "\n", **more: Any) -> Editor:
        """An editor in insert mode at the `|` of a file, with a scripted engine."""
        home = self.home()
        home.script(answers)
        editor = self.start(home, options, **more)
        before, after = text.split("|")
        editor.open(name, (before + after).replace("\n", newline))
        editor.cursor(before.count("\n"), len(before.rsplit("\n", 1)[-1].encode()))
        editor.keys("A" if after[:1] in ("", "\n") else "i")
        wait(lambda: editor.mode() == "i", lambda: f"the mode is {editor.mode()}")
        return editor

    def close(self, keep: bool = False) -> None:
        for editor in self.editors:
            editor.child.quit()
        for home in self.homes if not keep else []:
            home.remove()

    def state(self) -> str:
        """What can be seen of the editors, for a failure's report."""
        parts = []
        for editor in self.editors:
            try:
                log = "\n".join(editor.lua("return require('truefill.log').lines()")[-10:])
                parts.append(f"screen:\n{editor.screen()}\nmessages: {editor.messages()}\nlog: {log}")
            except Exception as error:  # noqa: BLE001: the report must not hide the failure
                parts.append(f"the editor tells nothing: {error!r}; screen:\n{editor.screen()}")
        return "\n".join(parts)


def lua(value: Any) -> str:
    """A value as Lua writes it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"[{lua(key)}] = {lua(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "{ " + ", ".join(map(lua, value)) + " }"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
    return str(value)


_TESTS: list[Test] = []


def test(*, only: str | None = None, once: bool = False):
    """Registers a test. `only` is a version or a kind of ghost text; `once` asks for the first setup of
    each version alone, where ghost text plays no part."""

    def register(function: Callable[[Case], None]) -> Callable[[Case], None]:
        setups = [setup for setup in SETUPS if only is None or only in setup]
        if once:
            setups = [setup for index, setup in enumerate(setups) if setup[0] not in
                      [earlier[0] for earlier in setups[:index]]]
        module = function.__module__.rsplit(".", 1)[-1]
        _TESTS.append(Test(f"{module}.{function.__name__}", function, setups))
        return function

    return register


def collect(folder: Path) -> list[Test]:
    """All tests of the package `tests` in a folder."""
    for module in sorted(pkgutil.iter_modules([str(folder / "tests")]), key=lambda it: it.name):
        importlib.import_module(f"tests.{module.name}")
    return list(_TESTS)
