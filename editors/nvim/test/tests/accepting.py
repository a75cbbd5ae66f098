"""Accepting: what the buffer holds then, and what the journal says."""

from harness.cases import Case, test
from harness.editor import answer, wait

TWO_LINES = [answer("    total = a + b\n    return total", ":\n")]


@test()
def whole_by_tab(case: Case) -> None:
    editor = case.edit("def add(a, b):\n|\n", TWO_LINES)
    editor.sees("    total = a + b\n    return total")
    editor.keys("<Tab>")
    editor.has("def add(a, b):", "    total = a + b", "    return total")
    editor.outcomes([[["shown"], ["accepted", "whole", 34]]])
    editor.sees_none()
    editor.keys(" # sum")
    editor.has("def add(a, b):", "    total = a + b", "    return total # sum")


@test()
def keys_behind_the_tab_come_behind_the_text(case: Case) -> None:
    editor = case.edit("|\n", [answer("foo(a)", "x = ")])
    editor.type("x = ")
    editor.sees("foo(a)")
    editor.keys("<Tab>; y")
    editor.has("x = foo(a); y")


@test()
def word_by_word(case: Case) -> None:
    editor = case.edit("|\n", [answer("foo.bar(a, 1.5)", "x = ")])
    editor.type("x = ")
    editor.sees("foo.bar(a, 1.5)")
    for taken, left in [("foo", ".bar(a, 1.5)"), ("foo.", "bar(a, 1.5)"), ("foo.bar", "(a, 1.5)")]:
        editor.keys("<M-Right>")
        editor.has("x = " + taken)
        editor.sees(left)
    editor.keys("<Tab>")
    editor.has("x = foo.bar(a, 1.5)")
    editor.outcomes([[
        ["shown"], ["accepted", "word", 3], ["accepted", "word", 4], ["accepted", "word", 7], ["accepted", "whole", 15],
    ]])


@test()
def what_is_left_stays_on_the_screen_between_words(case: Case) -> None:
    """Not even one drawing lies between: nobody presses the key into nothing."""
    editor = case.edit("|\n", [answer("foo.bar(a)", "x = ")])
    editor.type("x = ")
    editor.sees("foo.bar(a)")
    editor.keys("<M-Right><M-Right><M-Right>")
    editor.has("x = foo.bar")
    editor.sees("(a)")


@test()
def line_by_line(case: Case) -> None:
    editor = case.edit("def add(a, b):\n|\n", TWO_LINES)
    editor.sees("    total = a + b\n    return total")
    editor.keys("<M-Down>")
    editor.has("def add(a, b):", "    total = a + b", "")
    editor.sees("    return total")
    assert editor.grid.lines()[2] == "    return total", editor.screen()
    editor.keys("<M-Down>")
    editor.has("def add(a, b):", "    total = a + b", "    return total")
    editor.outcomes([[["shown"], ["accepted", "line", 18], ["accepted", "whole", 34]]])


@test()
def line_by_line_as_fast_as_a_key_repeats(case: Case) -> None:
    """Neovim's own module draws what is left of further lines a moment later only."""
    editor = case.edit("def add(a, b):\n|\n", [answer("    one()\n    two()\n    three()", ":\n")])
    editor.sees("    one()\n    two()\n    three()")
    editor.keys("<M-Down><M-Down><M-Down>")
    editor.has("def add(a, b):", "    one()", "    two()", "    three()")
    editor.outcomes([[["shown"], ["accepted", "line", 10], ["accepted", "line", 20], ["accepted", "whole", 31]]])


@test()
def a_word_that_was_all_counts_as_whole(case: Case) -> None:
    editor = case.edit("|\n", [answer("value", "x = ")])
    editor.type("x = ")
    editor.sees("value")
    editor.keys("<M-Right>")
    editor.has("x = value")
    editor.outcomes([[["shown"], ["accepted", "whole", 5]]])


@test()
def undo_takes_back_what_was_accepted_alone(case: Case) -> None:
    editor = case.edit("|\n", [answer("foo(a)", "x = ")])
    editor.type("x = ")
    editor.sees("foo(a)")
    editor.keys("<Tab>")
    editor.has("x = foo(a)")
    editor.type(" + 1")
    editor.keys("<Esc>u")
    editor.has("x = foo(a)")
    editor.keys("u")
    editor.has("x = ")


@test()
def units_are_utf16_in_a_text_of_many_bytes(case: Case) -> None:
    """The server counts characters of the length that it is told; a wrong unit would give others."""
    text = "größe(\"😀\", 世) + 1"
    editor = case.edit("s = \"é😀\"; |\n", [answer(text, "x = ")])
    editor.type("x = ")
    editor.sees(text)
    row = editor.grid.lines()[0]
    assert row.startswith('s = "é😀"; x = größe'), row
    editor.keys("<M-Right>")
    editor.has('s = "é😀"; x = größe')
    for _ in range(3):
        editor.keys("<M-Right>")
    editor.has('s = "é😀"; x = größe("😀", ')
    editor.sees("世) + 1")
    editor.keys("<Tab>")
    editor.has('s = "é😀"; x = größe("😀", 世) + 1')
    editor.outcomes([[
        ["shown"], ["accepted", "word", 5], ["accepted", "word", 7], ["accepted", "word", 8], ["accepted", "word", 11],
        ["accepted", "whole", len(text)],
    ]])


@test()
def positions_count_utf8_where_both_know_it(case: Case) -> None:
    editor = case.edit("|\n", [answer("foo(a)", "x = ")])
    encoding = "return vim.lsp.get_clients({ name = 'truefill' })[1].offset_encoding"
    assert editor.lua(encoding) == "utf-8"


@test()
def files_with_carriage_returns_keep_them(case: Case) -> None:
    editor = case.edit("def add(a, b):\n|\n", TWO_LINES, newline="\r\n")
    assert editor.lua("return vim.bo.fileformat") == "dos"
    editor.sees("    total = a + b\n    return total")
    editor.keys("<M-Down>")
    editor.sees("    return total")
    editor.keys("<Tab><Esc>")
    editor.has("def add(a, b):", "    total = a + b", "    return total")
    editor.command("write")
    written = (case.homes[0].workspace / "a.py").read_bytes()
    assert written == b"def add(a, b):\r\n    total = a + b\r\n    return total\r\n", written
    editor.outcomes([[["shown"], ["accepted", "line", 18], ["accepted", "whole", 34]]])


@test()
def typed_characters_count_with_what_is_accepted(case: Case) -> None:
    editor = case.edit("|\n", [answer("foo.bar(a)", "x = ")])
    editor.type("x = ")
    editor.sees("foo.bar(a)")
    editor.type("fo")
    editor.sees("o.bar(a)")
    editor.keys("<M-Right>")
    editor.has("x = foo")
    editor.outcomes([[["shown"], ["accepted", "word", 3]]])


@test()
def dismissed_with_a_code(case: Case) -> None:
    editor = case.edit("|\n", [answer("foo(a)", "x = ")])
    editor.type("x = ")
    editor.sees("foo(a)")
    editor.keys("<C-]>")
    editor.sees_none()
    assert editor.mode() == "i"
    editor.has("x = ")
    editor.outcomes([[["shown"], ["rejected", "dismissed"]]])
    # Nothing is left that Tab could take.
    editor.keys("<Tab>")
    editor.has("x =     ")


@test()
def what_was_dismissed_stays_away(case: Case) -> None:
    editor = case.edit("|\n", [answer("foo(a)", "x = ", times=1)])
    editor.type("x = ")
    editor.sees("foo(a)")
    editor.keys("<C-]>")
    editor.sees_none()
    editor.type("fo")
    wait(lambda: any(call["prefix_tail"].endswith("x = fo") for call in case.homes[0].engine_calls()),
         "the model was not asked after the rejection")
    editor.settled()
    assert editor.ghost() == ""


@test()
def alternatives_are_asked_for_and_looked_through(case: Case) -> None:
    texts = ["foo(a)", "bar(b)", "baz(c)"]
    editor = case.edit("|\n", [answer(texts, "x = ")])
    editor.type("x = ")
    editor.sees("foo(a)")
    editor.keys("<M-]>")
    wait(lambda: editor.ghost().startswith("ba"), lambda: f"no alternative, but {editor.ghost()!r}")
    first = editor.ghost().split(" (")[0]
    editor.keys("<M-]>")
    wait(lambda: editor.ghost().split(" (")[0] not in ("", first), "the next alternative is not there")
    assert "/" in editor.ghost(), "the alternative is not numbered"
    editor.keys("<M-[>")
    wait(lambda: editor.ghost().split(" (")[0] == first, lambda: f"{editor.ghost()!r} is not {first!r}")
    editor.keys("<Tab>")
    editor.has("x = " + first)
    accepted = [row for row in editor.rows(lambda rows: any(
        o["event"] == "accepted" for row in rows for o in row["outcomes"]))
        if any(o["event"] == "accepted" for o in row["outcomes"])]
    assert [row["completion"] for row in accepted] == [first]


@test()
def asked_for_by_hand(case: Case) -> None:
    settings = {"suggest": {"automatic": False}, "journal": {"context": True}}
    editor = case.edit("|\n", [answer(["foo(a)", "bar(b)", "baz(c)"], "x = ")], settings=settings)
    editor.type("x = ")
    editor.keys("<M-Bslash>")
    editor.sees("foo(a)")
    editor.keys("<M-Right>")
    editor.has("x = foo")
    editor.sees("(a)")
    editor.keys("<Tab>")
    editor.has("x = foo(a)")
    rows = editor.rows(lambda rows: any(o["extent"] == "whole" for row in rows for o in row["outcomes"]))
    assert {row["trigger"] for row in rows if row["completion"]} == {"invoked"}


@test()
def a_request_that_gets_nothing_says_why(case: Case) -> None:
    editor = case.edit("|\n", [answer("", "x = ")])
    editor.type("x = ")
    editor.keys("<M-Bslash>")
    editor.shows("The model has nothing to add here.")


@test(only="native")
def by_neovims_own_function(case: Case) -> None:
    """Who has mapped it already goes on using it, and the journal hears of it."""
    editor = case.edit("|\n", [answer("foo(a)", "x = ")])
    editor.type("x = ")
    editor.sees("foo(a)")
    assert editor.lua("return vim.lsp.inline_completion.get()") is True
    editor.has("x = foo(a)")
    editor.outcomes([[["shown"], ["accepted", "whole", 6]]])


@test()
def keys_as_fast_as_they_repeat_mean_what_is_left(case: Case) -> None:
    """What is left of further lines may not be drawn yet; it can be turned down, and others be asked for."""
    others = ["    uno()", "    dos()", "    tres()"]
    lines = [answer("    one()\n    two()\n    three()", ":\n"), answer(others, "one()\n")]
    editor = case.edit("def add(a, b):\n|\n", lines)
    editor.sees("    one()\n    two()\n    three()")
    editor.keys("<M-Down><C-]>")
    editor.outcomes([[["shown"], ["accepted", "line", 10], ["rejected", "dismissed"]]])
    editor.has("def add(a, b):", "    one()", "")
    editor.settled()
    editor.sees_none()
    other = case.edit("def add(a, b):\n|\n", lines)
    other.sees("    one()\n    two()\n    three()")
    other.keys("<M-Down><M-]>")
    wait(lambda: other.ghost().split(" (")[0] in others, lambda: f"no alternatives:\n{other.screen()}")
    other.has("def add(a, b):", "    one()", "")


@test()
def a_part_counts_after_many_keys_typed_through(case: Case) -> None:
    text = "alpha_beta_gamma_delta_epsilon_zeta_eta_theta(one, two, three)"
    editor = case.edit("|\n", [answer(text, "x = ")])
    editor.type("x = ")
    editor.sees(text)
    for typed in range(40):
        editor.type(text[typed])
        editor.sees(text[typed + 1:])
        editor.settled()
    word = text.index("(")
    editor.keys("<M-Right>")
    editor.has("x = " + text[:word])
    editor.outcomes([[["shown"], ["accepted", "word", word]]])
    editor.sees(text[word:])
    editor.keys("<Tab>")
    editor.has("x = " + text)
    editor.outcomes([[["shown"], ["accepted", "word", word], ["accepted", "whole", len(text)]]])
