"""The ways to install that the help file tells, as far as they need no network."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from harness.cases import SETTINGS, Case, lua, test
from harness.editor import PLUGIN, answer

ANSWERS = [answer("foo(a)", "x = ")]
HELP = (PLUGIN / "doc" / "truefill.txt").read_text()


def block(after: str) -> str:
    """The code in the help file behind a sentence."""
    return re.search(re.escape(after) + r".*? >\w+\n(.*?)\n<", HELP, re.DOTALL).group(1)


def suggests(case: Case, home, init: str) -> None:
    """A user's Neovim, with nothing but this configuration, suggests and has help."""
    home.script(ANSWERS)
    settings = f"settings = {lua(SETTINGS)}"
    assert "setup({})" in init or "opts = {}" in init, init
    init = init.replace("setup({})", f"setup({{ {settings} }})").replace("opts = {}", f"opts = {{ {settings} }}")
    config = home.path / "xdg_config_home" / "nvim"
    config.mkdir(parents=True)
    (config / "init.lua").write_text("vim.o.swapfile = false\n" + init)
    editor = case.run(home, "", bare=True)
    editor.open("a.py")
    editor.keys("ix = ")
    editor.shows("x = foo(a)")
    editor.has("x = ")
    row = editor.grid.rows[0]
    assert row[4].highlight != row[0].highlight, "ghost text looks like text"
    editor.keys("<Tab><Esc>")
    editor.has("x = foo(a)")
    editor.command("Truefill why")
    editor.shows("`scripted` is ready")
    editor.command("help truefill-install")
    assert editor.lua("return vim.fn.expand('%:t')") == "truefill.txt"


def sources(home) -> Path:
    """A copy of the plugin where the help file says that the sources are, as a git repository."""
    top = home.path / "src" / "truefill"
    ignored = shutil.ignore_patterns("tags", "test", "__pycache__")
    shutil.copytree(PLUGIN, top / "editors" / "nvim", ignore=ignored)
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run(["git", *author, *arguments], cwd=top, check=True, env=home.environment())
    return top


@test(once=True)
def as_a_package(case: Case) -> None:
    home = case.home()
    sources(home)
    commands = block("Neovim's own packages").replace("~/.local/share", str(home.path / "xdg_data_home"))
    subprocess.run(["sh", "-e", "-c", commands], check=True, env=home.environment())
    suggests(case, home, block("and in init.lua"))


@test(only="native")
def by_vim_pack(case: Case) -> None:
    home = case.home()
    sources(home)
    # The user confirms what is installed; here is none.
    confirmed = block("vim.pack (Neovim 0.12)").replace("  load = function", "  confirm = false,\n  load = function")
    suggests(case, home, confirmed)


@test(once=True)
def by_lazy(case: Case) -> None:
    lazy = case.plugin("lazy.nvim")
    home = case.home()
    sources(home)
    suggests(case, home, f"vim.opt.runtimepath:prepend('{lazy}')\nrequire('lazy').setup({{ {block('lazy.nvim:')} }})")


@test(once=True)
def the_plugin_loads_nothing_before_it_is_used(case: Case) -> None:
    editor = case.run(case.home(), "")
    loaded = editor.lua("return vim.tbl_filter(function(name) return vim.startswith(name, 'truefill') end, "
                        "vim.tbl_keys(package.loaded))")
    assert loaded == [], loaded
    assert os.path.samefile(PLUGIN, editor.lua("return vim.api.nvim_get_runtime_file('lsp/truefill.lua', false)[1]")
                            .removesuffix("/lsp/truefill.lua"))
