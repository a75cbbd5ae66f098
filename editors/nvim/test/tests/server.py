"""The server: how it is started, what is heard of it, and what happens when it ends."""

import os
import signal
import time
from pathlib import Path

from harness.cases import SETTINGS, Case, test
from harness.editor import answer, wait

ANSWERS = [answer("foo(a)", "x = ")]
STATE = "return require('truefill').state()"


def processes(home) -> list[int]:
    """The servers of a home: who starts them leaves its number there."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"serve" in command and str(home.script_file).encode() in b" ".join(command):
            found.append(int(entry.name))
    return found


def was_accepted(row: dict) -> bool:
    return any(outcome["event"] == "accepted" for outcome in row["outcomes"])


def kill(home) -> None:
    old = wait(lambda: processes(home), "no server runs")
    for number in old:
        os.kill(number, signal.SIGKILL)
    wait(lambda: not set(old) & set(processes(home)), "the server does not end")


@test()
def one_that_crashes_is_started_again(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS)
    editor.type("x = ")
    editor.sees("foo(a)")
    kill(case.homes[0])
    editor.told("the server ended (exit status 0, signal 9) and is started again")
    editor.sees_none()
    assert editor.mode() == "i", "who types was interrupted"
    editor.attached()
    editor.type("y = x = ")
    editor.sees("foo(a)")
    editor.keys("<Tab>")
    editor.has("x = y = x = foo(a)")


@test(once=True)
def one_that_crashes_again_and_again_is_left_alone(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS)
    for _ in range(4):
        kill(case.homes[0])
        wait(lambda: editor.lua(STATE)["kind"] == "Error" or processes(case.homes[0]), "nothing happens")
    editor.told("`:Truefill log` may say why")
    time.sleep(0.3)
    assert not processes(case.homes[0])
    assert editor.lua(STATE)["state"] == "error"
    editor.type("x = ")
    editor.has("x = ")
    editor.lua("vim.cmd('Truefill restart')")
    editor.attached()
    editor.keys("<C-u>x = ")
    editor.sees("foo(a)")


@test(once=True)
def one_that_is_stopped_stays_stopped(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS)
    editor.lua("vim.lsp.enable('truefill', false)")
    wait(lambda: editor.lua(STATE)["kind"] == "Stopped", lambda: editor.lua(STATE))
    time.sleep(0.3)
    assert not processes(case.homes[0])
    assert editor.lua(STATE)["state"] == "off"
    editor.type("x = ")
    editor.keys("<Tab>")
    editor.has("x =     ")


@test(once=True)
def it_ends_with_the_editor(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS)
    begun = time.monotonic()
    editor.child.quit()
    took = time.monotonic() - begun
    wait(lambda: not processes(case.homes[0]), "the server is still there")
    assert took < 2, f"the editor took {took:.1f} s to end"


@test(once=True)
def no_program_is_said_once_and_nothing_else_suffers(case: Case) -> None:
    home = case.home()
    home.script(ANSWERS)
    editor = case.start(home, "binary = '/nowhere/truefill'")
    editor.open("a.py", attached=False)
    editor.told("`binary` in setup() is `/nowhere/truefill`, expected a program there")
    assert editor.mode() == "n", "Neovim waits for a key"
    editor.shows("cargo install --path server")
    editor.open("b.py", attached=False)
    assert editor.told().count("/nowhere/truefill`, expected") == 1, editor.told()
    assert editor.lua(STATE)["state"] == "error"
    editor.keys("ix<Tab>y")
    editor.has("x   y")
    editor.keys("<Esc>")
    editor.command("Truefill stats")
    wait(lambda: editor.told().count("/nowhere/truefill`, expected") == 2, editor.told)


@test(once=True)
def a_program_that_is_none_is_told(case: Case) -> None:
    home = case.home()
    home.binary.write_text("#!/bin/sh\nexit 3\n")
    editor = case.start(home)
    editor.open("a.py", attached=False)
    editor.told("the server ended (exit status 3, signal 0)")
    wait(lambda: editor.lua(STATE)["kind"] == "Error", lambda: editor.lua(STATE))
    assert editor.mode() == "n", "Neovim waits for a key"


@test(once=True)
def settings_that_the_server_refuses_are_told_with_the_nearest_key(case: Case) -> None:
    home = case.home()
    home.script(ANSWERS)
    editor = case.start(home, settings={"sugest": {"automatic": True}})
    editor.open("a.py", attached=False)
    editor.told("the server refuses to start")
    assert "`sugest.automatic`" in editor.told() and "`suggest.automatic`" in editor.told(), editor.told()
    time.sleep(0.3)
    assert "is started again" not in editor.told(), "it was started again"
    assert editor.lua(STATE)["state"] == "error"
    assert editor.mode() == "n", "Neovim waits for a key"


@test(once=True)
def options_of_setup_are_checked(case: Case) -> None:
    editor = case.run(case.home(), "")
    for options, sentence in [
        ("{ keymaps = {} }", "`keymaps` in setup() is no option, the nearest one is `keys`"),
        ("{ keys = { acept = '<Tab>' } }", "`keys.acept` in setup() is no option, the nearest one is `keys.accept`"),
        ("{ ghost = 'mine' }", "`ghost` in setup(): expected one of auto, native, own, found \"mine\""),
        ("{ enabled = 'yes' }", "`enabled` in setup(): expected a boolean, found \"yes\""),
        ("{ keys = { accept = 7 } }", "`keys.accept` in setup(): expected a key or false, found 7"),
        ("{ env = { A = 1 } }", "`env.A` in setup(): expected a string, found 1"),
    ]:
        problem = editor.lua(f"return select(2, pcall(require('truefill').setup, {options}))")
        assert sentence in problem, (options, problem)
    assert editor.lua("return require('truefill').is_set_up()") is False


@test(only="0.11")
def native_ghost_text_needs_a_newer_neovim(case: Case) -> None:
    editor = case.run(case.home(), "")
    problem = editor.lua("return select(2, pcall(require('truefill').setup, { ghost = 'native' }))")
    assert '"own" or "auto" on a Neovim without vim.lsp.inline_completion' in problem, problem


@test(once=True)
def a_model_that_loads_and_one_that_cannot(case: Case) -> None:
    home = case.home()
    home.script(ANSWERS, load_delay_ms=700)
    editor = case.start(home, "icons = { loading = 'L' }")
    editor.open("a.py", attached=False)
    line = "return require('truefill').statusline()"
    wait(lambda: editor.lua(line) == "truefill L", lambda: editor.lua(line))
    editor.keys("ix = ")
    editor.attached()
    editor.keys("<BS><BS>= ")
    editor.sees("foo(a)")

    other = case.home()
    other.script([], load_error="the file is torn")
    editor = case.start(other)
    editor.open("a.py")
    state = editor.lua(STATE)
    assert state["kind"] == "Error" and "the file is torn" in state["message"], state
    editor.command("Truefill status")
    editor.shows("the file is torn")


@test(once=True)
def one_server_for_all_folders(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS)
    editor.keys("<Esc>")
    home = case.homes[0]
    other = home.path / "other"
    (other / ".git").mkdir(parents=True)
    editor.open(str(other / "b.py"))
    editor.keys("ix = ")
    editor.sees("foo(a)")
    assert len(processes(home)) == 1
    folders = editor.lua("return vim.lsp.get_clients({ name = 'truefill' })[1].workspace_folders")
    assert sorted(Path(folder["name"]).name for folder in folders) == ["other", "workspace"], folders
    editor.keys("<Tab>")
    editor.has("x = foo(a)")
    # The second folder counts as a workspace for the server: text of its files is kept.
    rows = editor.rows(lambda rows: any(map(was_accepted, rows)))
    assert [row["completion"] for row in rows if was_accepted(row)] == ["foo(a)"]


@test(once=True)
def a_file_of_no_workspace_gets_suggestions_and_leaves_no_text(case: Case) -> None:
    home = case.home()
    home.script(ANSWERS)
    editor = case.start(home)
    editor.open(str(home.path / "loose" / "a.py"))
    editor.keys("ix = ")
    editor.sees("foo(a)")
    editor.keys("<Tab>")
    editor.has("x = foo(a)")
    rows = editor.rows(lambda rows: any(map(was_accepted, rows)))
    assert all(row["completion"] is None for row in rows), rows


@test(once=True)
def settings_are_passed_on(case: Case) -> None:
    """And what a workspace says is not."""
    home = case.home()
    home.script(ANSWERS)
    for name in ("truefill.toml", ".truefill.toml"):
        (home.workspace / name).write_text("[suggest]\nautomatic = true\n")
    editor = case.start(home, settings={**SETTINGS, "suggest": {"automatic": False}})
    editor.open("a.py")
    editor.keys("ix = ")
    editor.has("x = ")
    editor.keys("<M-Bslash>")
    editor.sees("foo(a)")


@test()
def one_that_is_told_to_end_did_not_crash(case: Case) -> None:
    """`:LspStop` and its like, at once or in order."""
    editor = case.edit("|\n", ANSWERS)
    for force in ("false", "true"):
        wait(lambda: processes(case.homes[0]), "no server runs")
        editor.lua(f"vim.lsp.get_clients({{ name = 'truefill' }})[1]:stop({force})")
        wait(lambda: editor.lua(STATE)["kind"] == "Stopped", lambda: editor.lua(STATE))
        wait(lambda: not processes(case.homes[0]), "the server does not end")
        assert "is started again" not in editor.told(), editor.told()
        editor.sees_none()
        editor.lua("vim.cmd('Truefill restart')")
        editor.attached()
    kill(case.homes[0])
    editor.told("is started again")


# The plugin's variables in which a table has one of these keys.
WHO_KNOWS = """
    local wanted = { [select(1, ...)] = true, [select(2, ...)] = true }
    local modules, found = {}, {}
    for _, module in pairs(package.loaded) do modules[module] = true end
    local function mentions(value, depth)
        if type(value) ~= 'table' or modules[value] or depth > 2 then return false end
        for key, held in pairs(value) do
            if wanted[key] or mentions(held, depth + 1) then return true end
        end
        return false
    end
    for name, module in pairs(package.loaded) do
        for _, member in pairs(vim.startswith(name, 'truefill') and type(module) == 'table' and module or {}) do
            for at = 1, type(member) == 'function' and 60 or 0 do
                local variable, value = debug.getupvalue(member, at)
                if variable and mentions(value, 1) then found[name .. '.' .. variable] = true end
            end
        end
    end
    return vim.tbl_keys(found)
"""


@test(once=True)
def buffers_leave_nothing_behind(case: Case) -> None:
    mapped = """
        vim.api.nvim_create_autocmd('FileType', { pattern = 'python', callback = function(event)
            local held = {}
            Held = setmetatable({ held }, { __mode = 'v' })
            vim.keymap.set('i', '<Tab>', function() return held end, { buffer = event.buf })
        end })
    """
    # Its number is one that nothing else has.
    editor = case.edit("|\n", ANSWERS, before="for _ = 1, 700 do vim.api.nvim_create_buf(false, false) end" + mapped)
    editor.keys("<Esc>")
    editor.open("b.py")
    editor.keys("i")
    editor.type("x = ")
    editor.sees("foo(a)")
    editor.keys("<Tab><Esc>")
    buffer, uri = editor.lua("return { vim.api.nvim_get_current_buf(), vim.uri_from_bufnr(0) }")
    assert buffer > 700
    known = lambda: editor.lua(WHO_KNOWS, buffer, uri)
    assert known(), "the plugin knows nothing of a buffer that is there"
    editor.command("enew")
    editor.command(f"bwipeout! {buffer}")
    wait(lambda: not known(), lambda: f"a buffer that is gone is still in {known()}")
    editor.lua("collectgarbage() collectgarbage()")
    assert editor.lua("return Held[1] == nil"), "what the buffer had mapped is still held"


@test(once=True)
def set_up_twice_is_set_up_once(case: Case) -> None:
    home = case.home()
    home.script(ANSWERS)
    once = "require('truefill').setup({ keys = { accept = '<C-l>', next = '<C-n>' } })\n"
    editor = case.start(home, "keys = { accept = '<C-j>' }", before=once)
    editor.open("a.py")
    editor.count_requests()
    editor.keys("ix")
    wait(lambda: editor.requests() == ["x"], lambda: f"{editor.requests()}")
    editor.type(" = ")
    editor.sees("foo(a)")
    # The options are the second one's alone.
    assert editor.lua("return vim.fn.maparg('<C-l>', 'i') .. vim.fn.maparg('<C-n>', 'i')") == ""
    editor.keys("<C-j>")
    editor.has("x = foo(a)")
    editor.outcomes([[["shown"], ["accepted", "whole", 6]]])
    assert len(processes(home)) == 1
