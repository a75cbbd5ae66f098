"""Ghost text: what is on the screen, and when."""

from harness.cases import Case, test
from harness.editor import answer, wait

ANSWERS = [answer("foo(a)", "x = ")]
BLOCK = "total = a + b\n    return total"


@test()
def it_is_drawn_at_the_cursor_while_typing(case: Case) -> None:
    editor = case.edit("def f():\n    |\n", [answer("foo(a)", "x = ")])
    editor.type("x = ")
    editor.sees("foo(a)")
    assert editor.grid.lines()[1] == "    x = foo(a)", editor.screen()
    assert editor.grid.cursor == (1, 8)
    editor.has("def f():", "    x = ")
    editor.outcomes([[["shown"]]])


@test()
def lines_after_the_first_are_drawn_below(case: Case) -> None:
    editor = case.edit("def add(a, b):\n|\n\nprint(add(1, 2))\n", [answer("    " + BLOCK, ":\n")])
    editor.sees("    total = a + b\n    return total")
    lines = editor.grid.lines()
    assert lines[1:3] == ["    total = a + b", "    return total"], editor.screen()
    assert lines[4] == "print(add(1, 2))", editor.screen()


@test()
def what_is_typed_through_goes_on(case: Case) -> None:
    editor = case.edit("|\n", [answer("foo(a, b)", "x = ")])
    editor.type("x = ")
    editor.sees("foo(a, b)")
    calls = len(case.homes[0].engine_calls())
    editor.type("foo(")
    editor.sees("a, b)")
    assert editor.grid.lines()[0] == "x = foo(a, b)"
    editor.keys("<BS><BS>")
    editor.sees("o(a, b)")
    assert len(case.homes[0].engine_calls()) == calls, "the model was asked again"


@test()
def what_the_text_leaves_goes_at_once(case: Case) -> None:
    editor = case.edit("|\n", [answer("foo(a)", "x = "), answer("", "x = g", prefill_ms=60000)])
    editor.type("x = ")
    editor.sees("foo(a)")
    flushes = editor.grid.flushes
    editor.type("g")
    wait(lambda: editor.grid.flushes > flushes, "nothing was drawn")
    # The model still works on the next answer.
    assert editor.ghost() == "", editor.screen()
    assert editor.grid.lines()[0] == "x = g"
    editor.keys("<Tab>")
    editor.has("x = g   ")


@test()
def leaving_insert_mode_takes_it_away(case: Case) -> None:
    editor = case.edit("|\n", [answer("foo(a)", "x = ")])
    editor.type("x = ")
    editor.sees("foo(a)")
    editor.keys("<Esc>")
    editor.sees_none()
    editor.keys("a")
    editor.sees("foo(a)")
    # Nor was it turned down: that would stand in front of this.
    editor.keys("<Tab>")
    editor.has("x = foo(a)")
    editor.outcomes([[["shown"], ["accepted", "whole", 6]]])


@test()
def an_answer_for_another_text_is_not_drawn(case: Case) -> None:
    editor = case.edit("|\n", [answer("old", "x = ", prefill_ms=700), answer("new", "x = n = ")])
    editor.type("x = ")
    begun = lambda call: call["event"] == "start" and call["prefix_tail"].endswith("x = ")
    wait(lambda: any(map(begun, case.homes[0].engine_calls())), "the model was not asked")
    editor.type("n = ")
    editor.sees("new")
    assert editor.grid.lines()[0] == "x = n = new"
    wait(lambda: any(call["event"] == "cancelled" for call in case.homes[0].engine_calls()), "nothing was cancelled")


@test()
def suffixes_stay_where_they_are(case: Case) -> None:
    editor = case.edit("print(|)\n", [answer("value", "print(")])
    editor.shows("print(value)")
    editor.has("print()")
    if not case.is_native:  # Neovim's own takes over the highlight of the bracket behind.
        editor.sees("value")
    editor.keys("<Tab>")
    editor.has("print(value)")


@test(only="own")
def tabs_are_as_wide_as_the_buffers(case: Case) -> None:
    editor = case.edit("func f() {\n|\n}\n", [answer("\treturn 1", "{\n")], name="a.go", before="vim.o.tabstop = 3")
    editor.sees("   return 1")


@test(only="own")
def tabs_end_where_the_texts_will(case: Case) -> None:
    """The screen is the same before and after it is accepted."""
    text = "a\t= 1\n\tbbbb\t= 2\n\t世界\tz"
    editor = case.edit("func f() {\n\t|\n}\n", [answer(text, "{\n\t")], name="a.go", before="vim.o.tabstop = 8")
    editor.shows("z")
    drawn = editor.grid.lines()[:5]
    assert drawn[1:3] == ["        a       = 1", "        bbbb    = 2"], drawn
    editor.keys("<Tab>")
    editor.has("func f() {", "\ta\t= 1", "\tbbbb\t= 2", "\t世界\tz", "}")
    editor.sees_none()
    assert editor.grid.lines()[:5] == drawn, (editor.grid.lines()[:5], drawn)


@test()
def it_stays_with_the_window_that_is_typed_in(case: Case) -> None:
    editor = case.edit("|\n\n", ANSWERS)
    editor.keys("<Esc>")
    for command in ("vnew", "vsplit"):
        editor.command(command)
        editor.command("wincmd p")
        editor.keys("ggS")
        editor.type("x = ")
        editor.ghosts("foo(a)")
        if command == "vsplit":
            editor.lua("vim.api.nvim_win_set_cursor(vim.fn.win_getid(vim.fn.winnr('#')), { 2, 0 })")
        editor.keys("<Cmd>wincmd p<CR>")
        editor.sees_none()
        assert editor.mode() == "i"
        editor.keys("<Cmd>wincmd p<CR>")
        editor.ghosts("foo(a)")
        editor.keys("<Tab><Esc>")
        editor.has("x = foo(a)", "")
        editor.command("wincmd p | close!")


@test()
def a_change_to_replace_mode_takes_it_away(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS)
    editor.type("x = ")
    editor.sees("foo(a)")
    editor.keys("<Insert>")
    editor.sees_none()
    assert editor.mode() == "R"
    editor.keys("<Insert>")
    editor.sees("foo(a)")
    # As quick as keys can be.
    editor.keys("<Insert><Tab>y")
    editor.has("x =     y")
    assert "accepted" not in [o["event"] for row in editor.home.export() for o in row["outcomes"]]


@test()
def what_is_not_drawn_does_not_count_as_shown(case: Case) -> None:
    before = "package.loaded['blink.cmp'] = { is_menu_visible = function() return vim.g.menu ~= false end }"
    editor = case.edit("|\n", [answer("foo(a)", "x = ")], "menu = 'hide'", before=before)
    editor.type("x = ")
    served = lambda row: [outcome["event"] for outcome in row["outcomes"]]
    editor.rows(lambda rows: any(row["completion"] == "foo(a)" for row in rows))
    assert editor.ghost() == ""
    assert [served(row) for row in editor.home.export() if row["completion"]] == [["served"]]
    editor.lua("vim.g.menu = false; vim.api.nvim_exec_autocmds('User', { pattern = 'BlinkCmpMenuClose' })")
    editor.sees("foo(a)")
    editor.outcomes([[["shown"]]])


@test()
def what_is_shown_twice_is_told_once(case: Case) -> None:
    editor = case.edit("|\n", [answer("foo(a)", "x = ")])
    editor.type("x = ")
    editor.sees("foo(a)")
    editor.keys("<Esc>")
    editor.sees_none()
    editor.keys("a")
    editor.sees("foo(a)")
    editor.type("f")
    editor.sees("oo(a)")
    editor.keys("<Tab>")
    editor.has("x = foo(a)")
    editor.outcomes([[["shown"], ["accepted", "whole", 6]]])
