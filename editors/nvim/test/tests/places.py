"""Documents in which nothing is suggested, and those that are hard to get right."""

from harness.cases import SETTINGS, Case, test
from harness.editor import answer, wait

ANSWERS = [answer("foo(a)", "x = ")]
STATE = "return require('truefill').state()"


def is_silent(editor, reason: str) -> None:
    """Types what is answered elsewhere, and waits for the server's reason."""
    editor.keys("Ox = ")
    wait(lambda: editor.lua(STATE).get("reason") == reason, lambda: f"no reason `{reason}`, but {editor.lua(STATE)}")
    assert editor.lua(STATE)["state"] == "silent"
    assert editor.ghost() == ""
    # By hand neither, and the plugin says why.
    editor.keys("<M-Bslash>")
    wait(lambda: "Truefill" in editor.screen(), "no reason beside the cursor")
    assert editor.ghost() == ""


def opened(case: Case, name: str, text: str | bytes, filetype: str = "", settings=None):
    home = case.home()
    home.script(ANSWERS)
    editor = case.start(home, settings=settings)
    if filetype:
        editor.lua("vim.filetype.add({ filename = { [...] = select(2, ...) } })", name, filetype)
    editor.open(name, text)
    return editor


@test()
def files_that_hold_secrets(case: Case) -> None:
    editor = opened(case, ".env", "TOKEN=1\n")
    is_silent(editor, "denied")
    editor.shows("hold secrets")
    assert "◦" in editor.lua("return require('truefill').statusline()")
    editor.keys("<Esc>")
    editor.command("Truefill why")
    editor.shows("files.deny_secrets")
    assert not case.homes[0].engine_calls(), "the model was asked"
    assert not case.homes[0].export(), "the journal has rows"


@test(once=True)
def files_that_are_ignored(case: Case) -> None:
    home = case.home()
    home.script(ANSWERS)
    (home.workspace / ".truefillignore").write_text("private/\n")
    editor = case.start(home)
    editor.open("private/a.py", "\n")
    is_silent(editor, "ignored")
    assert not home.engine_calls(), "the model was asked"
    # And others go on.
    editor.keys("<Esc>")
    editor.open("a.py")
    assert editor.lua(STATE)["state"] == "ready"
    editor.keys("ix = ")
    editor.sees("foo(a)")


@test(once=True)
def large_files(case: Case) -> None:
    editor = opened(case, "a.py", "y = 1\n" * 200_000)
    editor.command("normal! G")
    is_silent(editor, "too_large")
    editor.keys("<Esc>u")
    wait(lambda: len(editor.lines()) == 200_000, "undo takes too long")


@test(once=True)
def a_file_that_is_just_not_too_large(case: Case) -> None:
    editor = opened(case, "a.py", "y = 1\n" * 170_000)
    editor.command("normal! G")
    editor.keys("ox = ")
    editor.sees("foo(a)")
    editor.keys("<M-Right>")
    editor.sees("(a)")
    editor.keys("<Tab><Esc>")
    wait(lambda: editor.lua("return vim.api.nvim_get_current_line()") == "x = foo(a)", "it was not accepted")


@test(once=True)
def binary_files_and_long_lines(case: Case) -> None:
    is_silent(opened(case, "a.py", b"a\0b\n"), "binary")
    is_silent(opened(case, "b.py", "y = '" + "a" * 6000 + "'\n"), "long_line")


@test(once=True)
def languages_that_are_off_in_the_settings(case: Case) -> None:
    settings = {**SETTINGS, "suggest": {**SETTINGS["suggest"], "disabled_languages": ["shellscript"]}}
    is_silent(opened(case, "a.sh", "true\n", settings=settings), "disabled_language")


@test(once=True)
def what_is_no_file(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS)
    editor.keys("<Esc>")
    attached = "return #vim.lsp.get_clients({ bufnr = 0, name = 'truefill' })"
    for command in ("enew | setfiletype python", "help help", "terminal", "edit nothing-known"):
        editor.command(command)
        assert editor.lua(attached) == 0, command
    assert editor.lua("return require('truefill').statusline()") == "truefill ○"


@test()
def inside_a_word_and_after_a_deletion(case: Case) -> None:
    editor = case.edit("x = |\n", ANSWERS)
    editor.sees("foo(a)")
    editor.keys("y<BS>")
    editor.sees("foo(a)")  # What was deleted back to is still what was suggested.
    editor.keys("<Esc>ccvalue<Left><Left>")
    wait(lambda: editor.lua(STATE).get("reason") == "inside_word", lambda: f"{editor.lua(STATE)}")
    assert editor.ghost() == ""


@test()
def characters_of_two_cells_and_of_none(case: Case) -> None:
    text = "世界(\"e\u0301\")"
    editor = case.edit("s = \"世\" |\n", [answer(text, "x = ")])
    editor.type("x = ")
    editor.sees(text)
    assert editor.grid.lines()[0].startswith("s = \"世\" x = 世界(\"e\u0301\")"), editor.screen()
    editor.keys("<M-Right>")
    editor.has("s = \"世\" x = 世界")
    editor.keys("<Tab>")
    editor.has("s = \"世\" x = " + text)


@test()
def a_buffer_in_two_windows(case: Case) -> None:
    editor = case.edit("|\n\n\n", ANSWERS)
    editor.keys("<Esc>")
    editor.command("vsplit")
    editor.keys("A")
    editor.type("x = ")
    wait(lambda: "foo(a)" in editor.ghost(), lambda: f"no ghost text:\n{editor.screen()}")
    editor.keys("<Tab>")
    editor.has("x = foo(a)", "", "")
    editor.outcomes([[["shown"], ["accepted", "whole", 6]]])


@test()
def recorded_keys_are_played_without_asking(case: Case) -> None:
    editor = case.edit("|\n", [answer("foo(a)", "= ")])
    editor.keys("<Esc>")
    editor.lua("vim.fn.setreg('q', 'oy = z\\27')")
    editor.keys("3@q")
    editor.has("", "y = z", "y = z", "y = z")
    assert editor.ghost() == ""
    asked = [call for call in case.homes[0].engine_calls() if call["event"] == "start" and "y" in call["prefix_tail"]]
    assert not asked, asked


@test()
def replaced_text_and_other_modes_are_left_alone(case: Case) -> None:
    editor = case.edit("|abcdef\n", [answer("foo(a)", "= ")])
    editor.keys("<Esc>0Rx = ")
    editor.has("x = ef")
    assert editor.ghost() == ""
    editor.keys("<Tab><Esc>")
    editor.has("x = \tf" if not editor.lua("return vim.bo.expandtab") else "x =     f")
