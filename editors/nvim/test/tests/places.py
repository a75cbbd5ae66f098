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
    # One of the keys takes its time, in which whatever is waiting is done.
    editor.lua("vim.fn.setreg('q', vim.keycode('oy = z<Cmd>sleep 20m<CR><Esc>'))")
    editor.count_requests()
    editor.keys("3@q")
    editor.has("", "y = z", "y = z", "y = z")
    assert editor.ghost() == ""
    # Had they been asked for, that would have been before this.
    editor.keys("ox = ")
    editor.sees("foo(a)")
    assert editor.requests() and not [line for line in editor.requests() if "y" in line], editor.requests()


@test()
def replaced_text_and_other_modes_are_left_alone(case: Case) -> None:
    editor = case.edit("|abcdef\n", [answer("foo(a)", "= ")])
    editor.keys("<Esc>")
    editor.settled()
    editor.count_requests()
    editor.keys("0Rx = ")
    editor.has("x = ef")
    assert editor.ghost() == ""
    editor.keys("<Tab><Esc>")
    editor.has("x = \tf" if not editor.lua("return vim.bo.expandtab") else "x =     f")
    # Had it been asked for, that would have been before this.
    editor.keys("oq = ")
    editor.sees("foo(a)")
    assert editor.requests() and not [line for line in editor.requests() if "f" in line], editor.requests()


def counting(encoding: str) -> str:
    """A client that knows no other unit."""
    capabilities = f"{{ general = {{ positionEncodings = {{ '{encoding}' }} }} }}"
    return f"vim.lsp.config('truefill', {{ capabilities = {capabilities} }})\n"


def encoding_of(editor) -> str:
    return editor.lua("return vim.lsp.get_clients({ name = 'truefill' })[1].offset_encoding")


@test()
def positions_count_utf16_where_a_client_knows_nothing_else(case: Case) -> None:
    text = 'größe("😀", b'
    for encoding in ("utf-16", "utf-8"):
        editor = case.edit('s = "é😀世"; (|)\n', [answer(text, "x = ")], before=counting(encoding))
        assert encoding_of(editor) == encoding
        editor.type("x = ")
        editor.shows('s = "é😀世"; (x = größe("😀", b)')
        calls = [call["prefix_tail"] for call in case.homes[-1].engine_calls() if call["event"] == "start"]
        assert calls[-1].endswith('s = "é😀世"; (x = '), calls
        editor.keys("<M-Right>")
        editor.has('s = "é😀世"; (x = größe)')
        editor.settled()
        editor.keys("<Tab>; y")
        editor.has('s = "é😀世"; (x = größe("😀", b; y)')


# A server whose suggestions take the place of what follows: ours has none yet.
REPLACING = """
    local rpc = vim.lsp.get_clients({ name = 'truefill' })[1].rpc
    local ask, units = rpc.ask, ...
    rpc.ask = function(params, callback)
        return ask(params, function(err, result)
            for _, item in ipairs(result and result.items or {}) do
                item.range['end'].character = item.range['end'].character + units
            end
            callback(err, result)
        end)
    end
"""


@test()
def a_suggestion_may_replace_what_stands_behind_the_cursor(case: Case) -> None:
    for encoding, units in (("utf-8", 6), ("utf-16", 4)):
        editor = case.edit('f("😀", |"😀");\n', [answer("a + b", '"😀", ')], before=counting(encoding))
        editor.sees("a + b")
        editor.keys("<Esc>")
        editor.sees_none()
        editor.lua(REPLACING, units)
        editor.keys("a")
        editor.shows('f("😀", a + b')
        editor.keys("<M-Right>")
        editor.has('f("😀", a"😀");')
        editor.settled()
        editor.keys("<Tab>!")
        editor.has('f("😀", a + b!);')
        editor.outcomes([[["shown"], ["accepted", "word", 1], ["accepted", "whole", 5]]])
