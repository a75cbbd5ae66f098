"""Completion plugins themselves; `keys.py` has stand-ins for them. See `run` for where they come from."""

from harness.cases import Case, test
from harness.editor import answer, wait

# A word to complete, and a suggestion for what is completed.
TEXT = "foobar = 1\n\n|\n"
ANSWERS = [answer("(a)", "x = foobar"), answer("foo(a)", "x = ")]

CMP = """
    vim.opt.runtimepath:append('{cmp}')
    vim.opt.runtimepath:append('{buffer}')
    vim.cmd.runtime('plugin/cmp.lua')
    vim.cmd.runtime('after/plugin/cmp_buffer.lua')
    local cmp = require('cmp')
    local function on_tab(fallback)
        if cmp.visible() then cmp.select_next_item() else fallback() end
    end
    cmp.setup({{
        preselect = cmp.PreselectMode.None,
        mapping = {{
            ['<Tab>'] = on_tab,
            ['<CR>'] = cmp.mapping.confirm({{ select = false }}),
            ['<C-e>'] = cmp.mapping.abort(),
        }},
        sources = {{ {{ name = 'buffer' }} }},
    }})
"""

BLINK = """
    vim.opt.runtimepath:append('{blink}')
    vim.cmd.runtime('plugin/blink-cmp.lua')
    require('blink.cmp').setup({{
        keymap = {{ preset = 'super-tab' }},
        fuzzy = {{ implementation = 'lua' }},
        sources = {{ default = {{ 'buffer' }} }},
        completion = {{ documentation = {{ auto_show = false }} }},
    }})
"""


def cmp_menu(case: Case) -> tuple[str, str]:
    """What sets the menu up, and what says whether it is open."""
    before = CMP.format(cmp=case.plugin("nvim-cmp"), buffer=case.plugin("cmp-buffer"))
    return before, "return require('cmp').visible() == true"


def blink_menu(case: Case) -> tuple[str, str]:
    before = BLINK.format(blink=case.plugin("blink.cmp"))
    return before, "return require('blink.cmp').is_menu_visible()"


def menus(case: Case) -> list[tuple[str, str]]:
    return [cmp_menu(case), blink_menu(case)]


def open_menu(editor, is_open: str) -> None:
    editor.type("foob")
    wait(lambda: editor.lua(is_open), lambda: f"no menu opens:\n{editor.screen()}")


def close_menu(editor, is_open: str) -> None:
    editor.keys("<C-e>")
    wait(lambda: not editor.lua(is_open), "the menu stays")


def tab_goes_round(editor, is_open: str) -> None:
    """Ghost text, menu, nothing: each has the key in its turn."""
    # Ghost text without a menu.
    editor.type("x = ")
    editor.sees("foo(a)")
    editor.keys("<Tab>")
    editor.has("foobar = 1", "", "x = foo(a)")
    # A menu; Tab is not ghost text's, be it there or not.
    editor.keys("<C-u>x = ")
    open_menu(editor, is_open)
    editor.keys("<Tab>")
    editor.has("foobar = 1", "", "x = foobar")
    close_menu(editor, is_open)
    editor.keys("<Esc>")
    wait(lambda: editor.mode() == "n", "insert mode does not end")
    editor.keys("cc")
    # Neither.
    editor.keys("<Tab>y")
    editor.has("foobar = 1", "", "    y")


@test()
def nvim_cmp_and_tab(case: Case) -> None:
    before, is_open = cmp_menu(case)
    editor = case.edit(TEXT, ANSWERS, before=before)
    tab_goes_round(editor, is_open)


@test()
def blink_and_tab(case: Case) -> None:
    before, is_open = blink_menu(case)
    editor = case.edit(TEXT, ANSWERS, before=before)
    tab_goes_round(editor, is_open)


@test()
def keys_behind_the_tab_come_behind_the_text(case: Case) -> None:
    for before, _ in menus(case):
        editor = case.edit(TEXT, ANSWERS, before=before)
        editor.type("x = ")
        editor.sees("foo(a)")
        editor.keys("<Tab>; y")
        editor.has("foobar = 1", "", "x = foo(a); y")


@test()
def other_keys_work_while_a_menu_is_open(case: Case) -> None:
    for before, is_open in menus(case):
        editor = case.edit(TEXT, [answer("ar(a)", "x = foob")], before=before)
        editor.type("x = ")
        open_menu(editor, is_open)
        editor.sees("ar(a)")
        editor.keys("<M-Right>")
        editor.has("foobar = 1", "", "x = foobar")


@test()
def menus_hide_ghost_text_if_told(case: Case) -> None:
    for before, is_open in menus(case):
        editor = case.edit(TEXT, [answer("ar(a)", "x = foob")], "menu = 'hide'", before=before)
        editor.type("x = ")
        open_menu(editor, is_open)
        wait(lambda: any(call["event"] == "end" for call in case.homes[-1].engine_calls()
                         if call["prefix_tail"].endswith("x = foob")), "the model was not asked")
        assert editor.lua(is_open)
        editor.sees_none()
        close_menu(editor, is_open)
        editor.sees("ar(a)")
        editor.keys("<Tab>")
        editor.has("foobar = 1", "", "x = foobar(a)")


@test(once=True)
def health_knows_who_passes_keys_on(case: Case) -> None:
    for before, _ in menus(case):
        editor = case.edit(TEXT, ANSWERS, before=before)
        editor.keys("<Esc>a<Esc>")
        editor.lua("vim.cmd('checkhealth truefill')")
        wait(lambda: any("Truefill: keys" in line for line in editor.lines()), lambda: editor.screen())
        text = "\n".join(editor.lines())
        assert "WARNING `" not in text, text


@test(once=True)
def the_statusline_of_lualine(case: Case) -> None:
    before = f"vim.opt.runtimepath:append('{case.plugin('lualine.nvim')}')"
    component = "function() return require('truefill').statusline() end"
    editor = case.edit("|\n", ANSWERS, before=before)
    editor.lua(f"require('lualine').setup({{ sections = {{ lualine_x = {{ {component} }} }} }})")
    editor.shows("truefill ●")
