"""`:Truefill`."""

from pathlib import Path

from harness.cases import Case, test
from harness.editor import answer, wait

ANSWERS = [answer("foo(a)", "x = ")]
# A model of a few kilobytes that knows nothing.
TINY = Path(__file__).resolve().parents[4] / "crates/model/tests/data/parity/gguf/llama-q8_0.gguf"


def buffer_of(editor, name: str) -> str:
    """The text of a page in a split, once it is there."""
    code = f"return vim.fn.bufname() == 'truefill://{name}'"
    wait(lambda: editor.lua(code), lambda: f"no page `{name}`:\n{editor.screen()}")
    return "\n".join(editor.lines())


@test()
def status_says_how_things_are(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS)
    editor.keys("<Esc>")
    editor.command("Truefill status")
    editor.shows("`scripted` is ready")
    editor.shows("ghost text Neovim's own" if case.is_native else "ghost text the plugin's")
    editor.shows("suggestions are on")
    editor.shows("with the code around suggestions")
    editor.shows(str(case.homes[0].binary)[:40])


@test(once=True)
def stats_are_a_page_that_q_closes(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS)
    editor.type("x = ")
    editor.sees("foo(a)")
    editor.keys("<Tab><Esc>")
    editor.outcomes([[["shown"], ["accepted", "whole", 6]]])
    editor.command("Truefill stats")
    assert "requested" in buffer_of(editor, "stats"), editor.lines()
    assert any(line.startswith("python") for line in editor.lines()), editor.lines()
    # The same page is used again, and arguments go to the program.
    editor.command("Truefill stats --json")
    wait(lambda: editor.lines()[0].startswith("{"), lambda: f"no JSON, but {editor.lines()}")
    assert editor.lua("return #vim.api.nvim_list_wins()") == 2
    editor.keys("q")
    editor.has("x = foo(a)")


@test()
def why_tells_the_reason(case: Case) -> None:
    editor = case.edit("|\n", [answer("", "x = ")])
    editor.type("x = ")
    wait(lambda: any(call["event"] == "end" and call["prefix_tail"].endswith("x = ")
                     for call in case.homes[0].engine_calls()), "the model was not asked")
    editor.settled()
    editor.keys("<Esc>")
    editor.command("Truefill why")
    editor.shows("The model has nothing to add here.")
    editor.shows("`scripted` is ready")
    editor.shows("default: scripted")


@test(once=True)
def why_where_there_is_no_server(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS)
    editor.keys("<Esc>")
    editor.command("enew")
    editor.command("Truefill why")
    editor.shows("The server does not serve this buffer")


@test()
def toggled_everywhere_for_a_file_type_and_here(case: Case) -> None:
    editor = case.edit("|\n", [answer("foo(a)", "= ")], "filetypes = { ruby = false }")
    state = "return require('truefill').state().state"
    for scope in ("", "filetype", "buffer"):
        editor.keys("<Esc>ddix = ")
        editor.sees("foo(a)")
        editor.lua(f"vim.cmd('Truefill toggle {scope}')")
        editor.sees_none()
        assert editor.lua(state) == "off"
        editor.keys("y = ")
        editor.has("x = y = ")
        assert editor.ghost() == ""
        editor.lua(f"vim.cmd('Truefill toggle {scope}')")
        assert editor.lua(state) != "off"
    # What is said for a buffer wins over what is said for its file type.
    editor.keys("<Esc>")
    editor.open("b.rb")
    assert editor.lua(state) == "off"
    editor.command("Truefill toggle buffer")
    editor.keys("ix = ")
    editor.sees("foo(a)")


@test()
def the_narrower_setting_wins(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS, "enabled = false, filetypes = { python = true, ruby = false }")
    enabled = "return require('truefill').state().enabled"
    editor.type("x = ")
    editor.sees("foo(a)")
    toggle = "return require('truefill').toggle(...)"
    assert editor.lua(toggle, "filetype") == "suggestions are off for the file type `python`"
    editor.sees_none()
    assert editor.lua(toggle, "filetype") == "suggestions are on for the file type `python`"
    assert editor.lua(enabled) is True
    # What is switched for all says where that does not reach.
    assert editor.lua(toggle, "global") == "suggestions are on"
    assert editor.lua(toggle, "global") == "suggestions are off, but on for the file type `python`"
    assert editor.lua(enabled) is True
    assert editor.lua(toggle, "buffer") == "suggestions are off in this buffer"
    assert editor.lua(toggle, "global") == "suggestions are on, but off in this buffer"
    assert editor.lua(toggle, "global") == "suggestions are off"
    assert editor.lua(enabled) is False
    # A file type of which nothing is said follows what is said for all, and is switched on at once.
    editor.keys("<Esc>")
    editor.open("b.lua")
    assert editor.lua(enabled) is False
    assert editor.lua(toggle, "filetype") == "suggestions are on for the file type `lua`"
    assert editor.lua(enabled) is True


@test(once=True)
def wrong_words_are_told_with_the_right_ones(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS)
    editor.keys("<Esc>")
    for command, expected in [
        ("Truefill stat", "there is no `:Truefill stat`, the nearest is `:Truefill stats`"),
        ("Truefill toggle file", "expects global, filetype or buffer, found `file`"),
        ("Truefill context", "expects on or off"),
    ]:
        editor.command(command)
        editor.told(expected)
    assert editor.mode() == "n", "Neovim waits for a key"


@test(once=True)
def arguments_are_completed(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS)
    complete = "return vim.fn.getcompletion(..., 'cmdline')"
    names = ["arms", "context", "log", "prompt", "pull", "restart", "stats", "status", "toggle", "why"]
    for line, expected in [
        ("Truefill ", names),
        ("Truefill st", ["stats", "status"]),
        ("Truefill toggle ", ["buffer", "filetype", "global"]),
        ("Truefill toggle f", ["filetype"]),
        ("Truefill arms s", ["set", "show", "stop"]),
        ("Truefill context o", ["off", "on"]),
        ("Truefill why ", []),
    ]:
        assert editor.lua(complete, line) == expected, (line, editor.lua(complete, line))


@test(once=True)
def arms_are_chosen_and_seen(case: Case) -> None:
    home = case.home()
    home.script(ANSWERS)
    for name in ("tiny", "other"):
        home.run("models", "pull", str(TINY), "--name", name)
    editor = case.start(home)
    editor.open("a.py")
    editor.command("Truefill arms")
    assert "Nothing is compared" in buffer_of(editor, "arms"), editor.lines()
    editor.command("Truefill arms set tiny=70 other=30")
    wait(lambda: "70" in "".join(editor.lines()), lambda: f"{editor.lines()}")
    editor.keys("q")
    # The server follows, and the statusline shows what is compared.
    line = "return require('truefill').statusline()"
    wait(lambda: "tiny 70%% | other 30%%" in editor.lua(line), lambda: editor.lua(line))


@test(once=True)
def the_log_is_the_servers_alone(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS, "log = 'truefill_server=debug'")
    editor.keys("<Esc>")
    editor.command("Truefill log")
    text = buffer_of(editor, "log")
    assert "truefill_server" in text, text


@test(once=True)
def the_log_is_told_by_the_programs_path(case: Case) -> None:
    """Not by a name that is somewhere in it: a folder may be called so, and the program may not."""
    home = case.home()
    home.script(ANSWERS)
    other = home.path / "truefill-sources" / "other"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\necho noise >&2\nexec sleep 60\n")
    other.chmod(0o755)
    named = home.path / "completer"
    home.binary.rename(named)
    editor = case.start(home, f"binary = '{named}', log = 'truefill_server=debug'")
    editor.open("a.py")
    editor.lua("vim.lsp.start({ name = 'other', cmd = { ... } })", str(other))
    lsp_log = editor.lua("return vim.lsp.log.get_filename()")
    wait(lambda: "noise" in Path(lsp_log).read_text(), "the other program wrote nothing")
    editor.command("Truefill log")
    text = buffer_of(editor, "log")
    assert "truefill_server" in text, text
    assert "noise" not in text, text


@test(once=True)
def the_log_says_where_nothing_was_written(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS)
    editor.keys("<Esc>")
    editor.command("Truefill log")
    assert "The server wrote nothing" in buffer_of(editor, "log"), editor.lines()


@test(once=True)
def the_prompt_is_shown(case: Case) -> None:
    editor = case.edit("é = 1\nname =|\n", ANSWERS)
    editor.keys("<Space>")
    editor.keys("<Esc>")
    editor.command("Truefill prompt")
    shown = buffer_of(editor, "prompt")
    assert "é = 1\nname =" in shown, editor.lines()
    assert " tokens, SHA-256 " in shown, shown
    editor.command("enew")
    editor.command("Truefill prompt")
    editor.told("does not serve this buffer")


@test(once=True)
def a_model_is_fetched_and_served(case: Case) -> None:
    home = case.home()
    home.script(ANSWERS)
    editor = case.start(home)
    editor.open("a.py")
    process = server_of(editor)
    editor.command(f"Truefill pull {TINY} --name tiny")
    editor.told("llama-q8_0-")
    wait(lambda: server_of(editor) not in (None, process), "the server was not started again")
    editor.command("Truefill pull nowhere")
    assert "nowhere: no such file or folder" in buffer_of(editor, "pull"), editor.lines()


def server_of(editor) -> int | None:
    """The client's id: each start has its own."""
    return editor.lua("return (vim.lsp.get_clients({ name = 'truefill' })[1] or {}).id")


@test()
def restarted_it_suggests_again(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS)
    before = server_of(editor)
    editor.type("x = ")
    editor.sees("foo(a)")
    editor.lua("vim.cmd('Truefill restart')")
    editor.sees_none()
    wait(lambda: server_of(editor) not in (None, before), "no other server")
    editor.attached()
    editor.keys("<BS><BS>= ")
    editor.sees("foo(a)")
    editor.keys("<Tab>")
    editor.has("x = foo(a)")
    assert "is started again" not in editor.told(), editor.told()


@test(once=True)
def nothing_works_before_it_is_set_up(case: Case) -> None:
    editor = case.run(case.home(), "")
    editor.command("Truefill status")
    editor.told("nothing is set up")
