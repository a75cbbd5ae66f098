"""The first run: the question about the journal; and what a user looks at: the statusline, `:checkhealth`, help."""

import json
import re
from pathlib import Path

from harness.cases import Case, test
from harness.editor import PLUGIN, answer, wait

ANSWERS = [answer("foo(a)", "x = ")]
# A model of a few kilobytes that knows nothing.
TINY = Path(__file__).resolve().parents[4] / "crates/model/tests/data/parity/gguf/llama-q8_0.gguf"
# Nothing is said about the journal.
QUIET = {"suggest": {"delay_min_ms": 0, "delay_max_ms": 0}}
QUESTION = "May the private journal"
HELP = PLUGIN / "doc" / "truefill.txt"


def started(case: Case, home=None, options: str = "", settings=None):
    home = home or case.home()
    home.script(ANSWERS)
    editor = case.start(home, options, settings=QUIET if settings is None else settings)
    editor.open("a.py")
    return editor


def accepted(rows: list[dict]) -> list[dict]:
    return [row for row in rows if any(outcome["event"] == "accepted" for outcome in row["outcomes"])]


def accept_one(editor) -> dict:
    """Accepts a suggestion; its row."""
    before = accepted(editor.home.export())
    line = "x" * len(before) + "x = "  # Not what was suggested for before.
    editor.keys("<Esc>cc" + line)
    editor.sees("foo(a)")
    editor.keys("<Tab><Esc>")
    editor.has(line + "foo(a)")
    return accepted(editor.rows(lambda rows: len(accepted(rows)) > len(before)))[-1]


@test()
def the_question_takes_no_key_and_is_asked_once(case: Case) -> None:
    home = case.home()
    editor = started(case, home)
    editor.shows(QUESTION)
    # Who types goes on typing, and gets suggestions.
    editor.keys("ix = ")
    editor.sees("foo(a)")
    editor.keys("<Tab>")
    editor.has("x = foo(a)")
    assert QUESTION in editor.screen()
    assert editor.lua("return #vim.api.nvim_list_wins()") == 2
    editor.keys("<Esc><C-w>w")
    assert editor.lua("return vim.api.nvim_win_get_config(0).relative") == "", "the question took the focus"
    again = started(case, home)
    assert QUESTION not in again.screen(), again.screen()


@test()
def without_an_answer_no_code_is_kept(case: Case) -> None:
    editor = started(case)
    row = accept_one(editor)
    assert row["completion"] is None, row


@test()
def without_an_answer_truefill_toml_holds(case: Case) -> None:
    home = case.home()
    home.data.mkdir()
    (home.data / "truefill.toml").write_text("[journal]\ncontext = true\n")
    editor = started(case, home)
    editor.shows(QUESTION)
    editor.shows("as truefill.toml says")
    assert "as it is now" not in editor.screen(), editor.screen()
    assert accept_one(editor)["completion"] == "foo(a)"
    privacy = HELP.read_text().split("*truefill-privacy*")[1]
    assert "`truefill.toml`" in privacy.split("====")[0], "the help says something else"
    # An answer wins.
    editor.command("Truefill context off")
    assert accept_one(editor)["completion"] is None


@test()
def yes_is_remembered_and_told_at_once(case: Case) -> None:
    home = case.home()
    editor = started(case, home)
    editor.shows(QUESTION)
    editor.command("Truefill context on")
    wait(lambda: QUESTION not in editor.screen(), "the question stays")
    editor.told("the journal is kept with the code around suggestions")
    assert accept_one(editor)["completion"] == "foo(a)"
    answers = json.loads((home.path / "xdg_state_home/nvim/truefill/answers.json").read_text())
    assert answers == {"journal_context": True}, answers
    again = started(case, home)
    assert QUESTION not in again.screen()
    assert accept_one(again)["completion"] == "foo(a)"
    again.command("Truefill context off")
    again.told("the journal is kept without code")
    assert accept_one(again)["completion"] is None


@test(once=True)
def what_is_set_is_not_asked(case: Case) -> None:
    for journal in ({"context": False}, {"enabled": False}):
        editor = started(case, settings={"journal": journal})
        editor.keys("ix = ")
        editor.sees("foo(a)")
        assert QUESTION not in editor.screen(), editor.screen()


@test(once=True)
def an_answer_that_cannot_be_written_is_told(case: Case) -> None:
    home = case.home()
    state = home.path / "xdg_state_home" / "nvim"
    state.mkdir(parents=True)
    (state / "truefill").write_text("a file where a folder should be")
    editor = started(case, home)
    editor.command("Truefill context on")
    editor.told("the answer could not be written to")
    assert editor.mode() == "n", "Neovim waits for a key"


def statusline() -> str:
    """What the help tells for init.lua."""
    return "vim.o.laststatus = 2 " + re.search(r"vim\.o\.statusline = .*", HELP.read_text()).group()


@test()
def the_statusline_says_what_goes_on(case: Case) -> None:
    home = case.home()
    home.script([answer("foo(a)", "x = ", prefill_ms=500)])
    editor = case.start(home, before=statusline())
    editor.open("a.py")
    editor.shows("truefill ●")
    editor.keys("ix = ")
    editor.shows("truefill ◌")
    editor.sees("foo(a)")
    editor.shows("truefill ●")
    editor.lua("vim.cmd('Truefill toggle')")
    editor.shows("truefill ○")


@test(once=True)
def the_statusline_shows_shares_as_percents(case: Case) -> None:
    home = case.home()
    home.script(ANSWERS)
    for name in ("tiny", "other"):
        home.run("models", "pull", str(TINY), "--name", name)
    home.run("arms", "set", "tiny=70", "other=30")
    editor = case.start(home, before=statusline())
    editor.open("a.py")
    line = lambda: editor.grid.lines()[editor.grid.height - 2]
    wait(lambda: "truefill ● tiny 70% | other 30% " in line(), line)


@test(once=True)
def others_are_told_when_the_state_changes(case: Case) -> None:
    before = """vim.api.nvim_create_autocmd('User', { pattern = 'TruefillStatus', callback = function()
        local state = require('truefill').state()
        if state.state ~= (Seen or {})[#(Seen or {})] then Seen = vim.list_extend(Seen or {}, { state.state }) end
    end })"""
    home = case.home()
    home.script([answer("foo(a)", "x = ", prefill_ms=100)], load_delay_ms=200)
    editor = case.start(home, before=before)
    editor.open("a.py")
    editor.keys("ix = ")
    editor.sees("foo(a)")
    wait(lambda: editor.lua("return Seen[#Seen]") == "ready", lambda: editor.lua("return Seen"))
    assert "loading" in editor.lua("return Seen") and "asking" in editor.lua("return Seen"), editor.lua("return Seen")


def health(editor) -> str:
    editor.keys("<Esc>")
    editor.lua("vim.cmd('checkhealth truefill')")
    wait(lambda: any("Truefill: keys" in line for line in editor.lines()), lambda: editor.screen())
    return "\n".join(editor.lines())


@test()
def health_is_checked(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS)
    text = health(editor)
    for expected in [
        "ghost text is Neovim's own" if case.is_native else "ghost text is the plugin's",
        f"`{case.homes[0].binary}`: truefill ", "OK cpu:", "OK journal:", "`scripted` is ready on script.",
        "it serves 1 buffer; positions count utf-8", "the keys are the plugin's wherever the server is",
        # No model is in the test's store, and the doctor knows what to do.
        "ERROR model: the default model is not here yet", "truefill models pull default",
    ]:
        assert expected in text, f"expected {expected!r} in\n{text}"


@test(once=True)
def health_looks_at_the_model_that_is_set(case: Case) -> None:
    home = case.home()
    home.script(ANSWERS)
    home.run("models", "pull", str(TINY), "--name", "tiny")
    for model, expected in [("tiny", "OK model: "), ("absent", "ERROR model: ")]:
        editor = case.start(home, settings={**QUIET, "model": {"id": model}, "journal": {"context": False}})
        editor.open("a.py")
        text = health(editor)
        found = [line for line in text.splitlines() if " model: " in line]
        assert len(found) == 1 and expected in found[0] and f"`{model}`" in found[0], text


@test(once=True)
def health_tells_what_is_wrong(case: Case) -> None:
    editor = case.run(case.home(), "require('truefill').setup({ binary = '/nowhere' })")
    text = health(editor)
    assert "ERROR `binary` in setup() is `/nowhere`, expected a program there" in text, text
    other = case.edit("|\n", ANSWERS)
    other.lua("vim.keymap.set('i', '<M-]>', 'x', { buffer = true, desc = 'mine' })")
    text = health(other)
    assert "WARNING `<M-]>` (next) is mapped to `mine` in `a.py`" in text, text


@test(once=True)
def a_program_of_the_repository_is_not_run(case: Case) -> None:
    for path in (".", "{workspace}", "{workspace}/bin:"):
        home = case.home()
        home.script(ANSWERS)
        ran = home.path / "ran"
        for own in (home.workspace / "truefill", home.workspace / "bin" / "truefill"):
            own.parent.mkdir(exist_ok=True)
            own.write_text(f"#!/bin/sh\necho \"$@\" >> '{ran}'\n")
            own.chmod(0o755)
        search = path.format(workspace=home.workspace)
        # The right program comes behind it; without one the user is told.
        editor = case.start(home, before=f"vim.env.PATH = '{search}:' .. vim.env.PATH")
        editor.open("a.py", "x = \n")
        editor.cursor(0, 4)
        editor.keys("A")
        editor.sees("foo(a)")
        assert not ran.exists(), ran.read_text()
    home = case.home()
    home.script(ANSWERS)
    home.binary.rename(home.workspace / "truefill")
    editor = case.start(home, before=f"vim.env.PATH = '{home.workspace}:/usr/bin:/bin'")
    editor.command("edit a.py")
    editor.told("is not run until you name it")


@test(once=True)
def the_help_names_what_there_is(case: Case) -> None:
    editor = case.start(case.home())
    text = HELP.read_text()
    for tag in sorted(set(re.findall(r"\|([^|\s]+)\|", text))):
        editor.command(f"help {tag}")
    commands = editor.lua("return vim.fn.getcompletion('Truefill ', 'cmdline')")
    assert [name for name in commands if f"*:Truefill-{name}*" not in text] == []
    # The options are the defaults.
    block = re.search(r"These are the defaults: >lua\n(.*?)\n<\n", text, re.DOTALL).group(1)
    told = editor.lua("""
        local found
        local environment = { require = function() return { setup = function(options) found = options end } end }
        load(..., "help", "t", environment)()
        local defaults = require("truefill.config").defaults
        return vim.deep_equal(found, defaults) and "" or vim.inspect(found) .. vim.inspect(defaults)
    """, block)
    assert told == "", told


@test(once=True)
def the_help_has_its_tags(case: Case) -> None:
    editor = case.start(case.home())
    for tag in ("truefill", "truefill-setup", "truefill-keys", ":Truefill-why", "truefill.statusline()"):
        editor.command(f"help {tag}")
        assert editor.lua("return vim.fn.expand('%:t')") == "truefill.txt", tag
        assert f"*{tag}*" in editor.lua("return vim.api.nvim_get_current_line()"), tag
