"""Keys: Tab is the plugin's only where there is ghost text and no menu."""

from harness.cases import Case, test
from harness.editor import answer, wait

from .server import kill

ANSWERS = [answer("foo(a)", "x = ")]

# What other plugins put under Tab; each leaves a trace of what it was asked.
MARK = "function Mark(name) vim.g.mark = (vim.g.mark or '') .. name .. ' ' end\n"


def mark(editor) -> str:
    return (editor.lua("return vim.g.mark or ''")).strip()


def with_ghost(case: Case, before: str = "", options: str = "", **more):
    editor = case.edit("|\n", ANSWERS, options, before=MARK + before, **more)
    editor.type("x = ")
    editor.sees("foo(a)")
    return editor


@test()
def without_ghost_text_tab_is_a_tab(case: Case) -> None:
    editor = case.edit("|\n", [], before=MARK)
    editor.keys("a<Tab>b")
    editor.has("a   b")


@test()
def a_mapping_in_vims_language_goes_on_working(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS, before=MARK + "vim.cmd('inoremap <Tab> <C-V>u2192')")
    editor.keys("<Tab>")
    editor.has("→")
    editor.type("x = ")
    editor.sees("foo(a)")
    editor.keys("<Tab>")
    editor.has("→x = foo(a)")


@test()
def expression_mappings_go_on_working(case: Case) -> None:
    before = """
        vim.keymap.set('i', '<Tab>', function() return vim.g.jump and '<Right>' or 'tab' end, { expr = true })
        vim.cmd([[inoremap <expr> <C-]> "\\<Left>!"]])
    """
    editor = case.edit("|)\n", [], before=before)
    editor.keys("<Tab>")
    editor.has("tab)")
    editor.lua("vim.g.jump = true")
    editor.keys("<Tab>;<C-]>")
    editor.has("tab)!;")


@test()
def mappings_that_come_back_to_the_key_end(case: Case) -> None:
    editor = case.edit("|\n", [], before="vim.cmd('imap <Tab> ab<Tab>')")
    editor.keys("<Tab>c")
    editor.has("ab  c")


@test()
def a_mapping_of_the_buffer_goes_on_working(case: Case) -> None:
    before = """
        vim.api.nvim_create_autocmd('FileType', { callback = function(event)
            vim.keymap.set('i', '<Tab>', function() Mark('buffer') end, { buffer = event.buf })
        end })
    """
    editor = with_ghost(case, before)
    editor.keys("<C-]>")
    editor.sees_none()
    editor.keys("<Tab>")
    wait(lambda: mark(editor) == "buffer", lambda: f"the buffer's mapping was not called: {mark(editor)!r}")
    editor.has("x = ")


@test()
def abbreviations_and_snippets_go_on_working(case: Case) -> None:
    # Neovim's own mapping of Tab, for snippets, expands none.
    editor = case.edit("|\n", [], before="vim.cmd('iabbrev fn function')")
    editor.lua("Tab = vim.fn.maparg('<Tab>', 'i', false, true)")
    editor.command("iunmap <Tab>" if not editor.lua("return Tab.buffer == 1") else "silent! unmap! <Tab>")
    editor.keys("fn<Tab>")
    editor.has("function    ")
    editor.keys("<C-u>fn<C-]>")
    editor.has("function")
    editor.keys("<C-u>")
    editor.lua("vim.snippet.expand('f(${1:a}, ${2:b})')")
    editor.keys("<Tab>")
    wait(lambda: editor.lua("return vim.api.nvim_win_get_cursor(0)[2]") >= 5, "the snippet did not jump")
    editor.keys("c<Esc>")
    editor.has("f(a, c)")


@test()
def neovims_menu_has_tab_while_it_is_open(case: Case) -> None:
    before = """
        vim.o.completeopt = 'menuone,noinsert'
        vim.keymap.set('i', '<Tab>', function()
            return vim.fn.pumvisible() == 1 and '<C-y>' or '<Tab>'
        end, { expr = true })
    """
    editor = case.edit("foobar = 1\nx = |\n", [answer("suggested", "x = f")], before=before)
    editor.type("f")
    editor.sees("suggested")
    editor.keys("<C-n>")
    wait(lambda: editor.lua("return vim.fn.pumvisible()") == 1, "no menu")
    editor.keys("<Tab>")
    editor.has("foobar = 1", "x = foobar")


@test()
def a_cmp_that_was_mapped_before_has_tab_while_its_menu_is_open(case: Case) -> None:
    """As nvim-cmp does it: its mapping is the buffer's, set when insert mode begins, and falls back to
    what was mapped."""
    editor = with_ghost(case, CMP)
    editor.lua("vim.g.menu = true")
    editor.keys("<Tab>")
    wait(lambda: mark(editor) == "cmp-next", lambda: f"the menu was not asked: {mark(editor)!r}")
    editor.has("x = ")
    editor.lua("vim.g.menu = false")
    editor.keys("<Tab>")
    editor.has("x = foo(a)")
    assert mark(editor) == "cmp-next"
    editor.keys("<Tab>")
    editor.has("x = foo(a)  ")


CMP = """
    package.loaded.cmp = { visible = function() return vim.g.menu == true end }
    vim.api.nvim_create_autocmd('InsertEnter', { callback = function()
        local before = vim.fn.maparg('<Tab>', 'i', false, true)
        if (before.desc or '') == 'cmp' then return end
        vim.keymap.set('i', '<Tab>', function()
            if package.loaded.cmp.visible() then return Mark('cmp-next') end
            local keys = before.callback and before.callback() or before.rhs
            if keys then vim.api.nvim_feedkeys(vim.keycode(keys), 'in', false) end
        end, { buffer = true, desc = 'cmp' })
    end })
"""


@test()
def a_cmp_that_ours_was_mapped_over_has_it_too(case: Case) -> None:
    """The server may come to a buffer in which insert mode, and cmp, were there before."""
    before = CMP.replace("'InsertEnter'", "'BufReadPost'")
    editor = with_ghost(case, before)
    assert "Truefill" in editor.lua("return vim.fn.maparg('<Tab>', 'i', false, true).desc")
    editor.lua("vim.g.menu = true")
    editor.keys("<Tab>")
    wait(lambda: mark(editor) == "cmp-next", lambda: f"the menu was not asked: {mark(editor)!r}")
    editor.lua("vim.g.menu = false")
    editor.keys("<Tab>")
    editor.has("x = foo(a)")
    editor.keys("<Tab>")
    editor.has("x = foo(a)  ")


@test()
def a_blink_menu_has_tab_while_it_is_open(case: Case) -> None:
    before = """
        package.loaded['blink.cmp'] = { is_menu_visible = function() return vim.g.menu == true end }
        vim.keymap.set('i', '<Tab>', function()
            if vim.g.menu then Mark('blink-accept') return '' end
            return '<Tab>'
        end, { expr = true, desc = 'blink.cmp' })
    """
    editor = with_ghost(case, before)
    editor.lua("vim.g.menu = true")
    editor.keys("<Tab>")
    wait(lambda: mark(editor) == "blink-accept", lambda: f"the menu was not asked: {mark(editor)!r}")
    editor.has("x = ")
    editor.lua("vim.g.menu = false")
    editor.keys("<Tab>")
    editor.has("x = foo(a)")


@test()
def ghost_text_makes_way_for_a_menu_if_told(case: Case) -> None:
    before = "package.loaded['blink.cmp'] = { is_menu_visible = function() return vim.g.menu == true end }"
    editor = with_ghost(case, before, "menu = 'hide'")
    opened = "vim.g.menu = {}; vim.api.nvim_exec_autocmds('User', {{ pattern = 'BlinkCmpMenu{}' }})"
    editor.lua(opened.format("true", "Open"))
    editor.sees_none()
    editor.lua(opened.format("false", "Close"))
    editor.sees("foo(a)")


@test()
def other_keys_and_none(case: Case) -> None:
    editor = with_ghost(case, options="keys = { accept = '<C-l>', accept_word = false }")
    assert editor.lua("return vim.fn.maparg('<M-Right>', 'i')") == ""
    editor.keys("<Tab>")
    editor.has("x =     ")
    editor.keys("<BS>")
    editor.sees_none()
    editor.keys("<C-o>0<C-o>D")
    editor.has("")
    editor.type("x = ")
    editor.sees("foo(a)")
    editor.keys("<C-l>")
    editor.has("x = foo(a)")


@test()
def plug_mappings(case: Case) -> None:
    editor = with_ghost(case, "vim.keymap.set('i', '<C-f>', '<Plug>(truefill-accept-word)')")
    editor.keys("<C-f>")
    editor.has("x = foo")


ARROW = "vim.cmd('inoremap <Tab> <C-V>u2192')"


@test()
def a_mapping_serves_each_of_several_quick_keys(case: Case) -> None:
    editor = case.edit("|\n", [], before=ARROW)
    editor.keys("<Tab><Tab>a<Tab>")
    editor.has("→→a→")
    # One that maps its keys again is still for each key, and still ends.
    editor.lua("vim.cmd('imap <Tab> b<Tab>')")
    editor.keys("<C-u>")
    editor.keys("<Tab><Tab>c")
    editor.has("b   b   c")


@test()
def a_mapping_serves_keys_of_a_macro(case: Case) -> None:
    editor = case.edit("|\n", [], before=ARROW)
    editor.keys("<Esc>qqoa<Tab>b<Tab>c<Esc>q")
    editor.has("", "a→b→c")
    editor.keys("2@q")
    editor.has("", "a→b→c", "a→b→c", "a→b→c")


@test()
def a_mapping_that_fails_midway_is_there_again(case: Case) -> None:
    """What stands behind a command that fails in a mapping is thrown away."""
    editor = case.edit("|\n", [], before="vim.cmd('imap <Tab> a<C-o>fZb')")
    for lines in ("a", "aa"):
        editor.keys("<Tab>")
        editor.has(lines)


@test()
def a_new_server_leaves_the_mappings_that_are_there(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS, before=MARK + ARROW + CMP)
    editor.keys("<Tab>")
    editor.has("→")
    for end in (lambda: editor.lua("vim.cmd('Truefill restart')"), lambda: kill(case.homes[0])):
        old = editor.lua(CLIENT)
        editor.keys("<Esc>")
        end()
        wait(lambda: editor.lua(CLIENT) not in (None, old), "no other server")
        editor.attached()
        editor.keys("cc<Tab>")
        editor.has("→")
        editor.type("x = ")
        editor.sees("foo(a)")
        editor.keys("<Tab>")
        editor.has("→x = foo(a)")


CLIENT = "return (vim.lsp.get_clients({ name = 'truefill', bufnr = 0 })[1] or {}).id"


@test()
def a_mapping_that_a_file_type_sets_again_goes_below_ours_again(case: Case) -> None:
    before = """
        vim.api.nvim_create_autocmd('FileType', { callback = function(event)
            vim.keymap.set('i', '<Tab>', function() Mark('buffer') end, { buffer = event.buf })
        end })
    """
    editor = case.edit("|\n", ANSWERS, before=MARK + before)
    for how in ("bunload", "bdelete"):
        editor.keys("<Esc>")
        editor.command(f"enew | {how}! a.py")
        editor.command("edit a.py")
        editor.attached()
        editor.keys("A")
        editor.type("x = ")
        editor.sees("foo(a)")
        editor.keys("<Tab>")
        editor.has("x = foo(a)")
        editor.lua("vim.g.mark = ''")
        editor.keys("<CR><Tab>")
        wait(lambda: mark(editor) == "buffer", lambda: f"the buffer's mapping was not called: {mark(editor)!r}")
