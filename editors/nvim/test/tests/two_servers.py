"""Another server beside ours that can make ghost text, in Neovim's own module: what is whose stays so."""

from harness.cases import Case, test
from harness.editor import answer, wait

ANSWERS = [answer("foo(a)", "x = "), answer("bar(b)", "y = ")]

# A server inside the editor; it counts how often it is asked, and knows one answer.
OTHER = """
Asked = 0
local function other(dispatchers)
    local closing = false
    local function request(method, params, callback)
        local result
        if method == 'initialize' then
            result = { capabilities = { inlineCompletionProvider = true, positionEncoding = 'utf-8' } }
        elseif method == 'textDocument/inlineCompletion' then
            Asked = Asked + 1
            local range = { start = params.position, ['end'] = params.position }
            result = { items = { { insertText = 'OTHER', range = range } } }
        end
        vim.schedule(function() callback(nil, result) end)
        return true, 1
    end
    return {
        request = request,
        notify = function() return true end,
        is_closing = function() return closing end,
        terminate = function() closing = true; dispatchers.on_exit(0, 0) end,
    }
end
vim.api.nvim_create_autocmd('FileType', { pattern = 'python', callback = function(event)
    vim.lsp.start({ name = 'other', cmd = other, root_dir = '/tmp' }, { bufnr = event.buf })
end })
"""
ENABLED = "return vim.lsp.inline_completion.is_enabled({ bufnr = 0 })"
OURS = "return #vim.lsp.get_clients({ name = 'truefill' })"


def asked(editor) -> int:
    return editor.lua("return Asked")


def module_has_asked(editor) -> None:
    """Waits longer than Neovim's module does behind a key."""
    editor.lua("Later = false; vim.defer_fn(function() Later = true end, 500)")
    wait(lambda: editor.lua("return Later"), "a timer does not end")


def stop_ours(editor) -> None:
    editor.lua("vim.lsp.enable('truefill', false)")
    wait(lambda: editor.lua(OURS) == 0, "our server does not end")


def healthy(editor) -> None:
    """Neovim's module fails in a timer where it holds on to a client that ended."""
    assert "rror" not in editor.messages(), editor.messages()


@test(only="native")
def one_that_nobody_enabled_stays_off(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS, before=OTHER)
    editor.type("x = ")
    editor.sees("foo(a)")
    editor.keys("<Tab>")
    editor.has("x = foo(a)")
    editor.keys("<CR>y = ")
    editor.sees("bar(b)")
    module_has_asked(editor)
    assert asked(editor) == 0, f"it was asked {asked(editor)} times"
    assert editor.lua(ENABLED) is False
    stop_ours(editor)
    editor.sees_none()
    editor.keys("z = ")
    module_has_asked(editor)
    assert asked(editor) == 0, f"it was asked {asked(editor)} times after ours ended"
    assert editor.lua(ENABLED) is False
    healthy(editor)


@test(only="native")
def one_that_the_user_enabled_goes_on_without_ours(case: Case) -> None:
    editor = case.edit("|\n", [], before="vim.lsp.inline_completion.enable()\n" + OTHER)
    editor.type("x = ")
    editor.sees("OTHER")
    stop_ours(editor)
    before = asked(editor)
    editor.keys("y")
    wait(lambda: asked(editor) > before, "it is not asked any more")
    editor.sees("OTHER")
    assert editor.lua(ENABLED) is True
    healthy(editor)


@test(only="native")
def one_that_is_enabled_later_comes_to_ours(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS, before=OTHER)
    editor.type("x = ")
    editor.sees("foo(a)")
    assert asked(editor) == 0
    editor.lua("vim.lsp.inline_completion.enable(true, { bufnr = 0 })")
    # In one go: what is let go when insert mode ends must not take what comes behind it along.
    editor.keys("<Esc>A<CR>y = ")
    wait(lambda: asked(editor) > 0, "it is not asked")
    wait(lambda: editor.ghost() in ("bar(b)", "OTHER"), "no ghost text of either")
    editor.lua("vim.cmd('Truefill restart')")
    editor.attached()
    assert editor.lua(ENABLED) is True
    editor.lua("vim.lsp.inline_completion.enable(false, { bufnr = 0 })")
    healthy(editor)


@test(only="native")
def all_that_are_enabled_together_are_asked(case: Case) -> None:
    """Whichever came first."""
    late = OTHER.replace("vim.lsp.start({", "Late = function() vim.lsp.start({").replace(
        "{ bufnr = event.buf })\nend", "{ bufnr = event.buf }) end\nend")
    for before in (OTHER, late):
        editor = case.edit("|\n", ANSWERS, before=before)
        if before is late:
            editor.lua("Late()")
        wait(lambda: editor.lua("return #vim.lsp.get_clients({ bufnr = 0 })") == 2, "the other is not there")
        editor.type("x = ")
        editor.sees("foo(a)")
        assert asked(editor) == 0
        editor.lua("vim.lsp.inline_completion.enable()")
        editor.keys("<Esc>A<CR>y = ")
        wait(lambda: asked(editor) > 0, "the other is not asked")
        seen = set()
        for _ in range(2):
            wait(lambda: editor.ghost().split(" (")[0] in {"bar(b)", "OTHER"} - seen, lambda: editor.screen())
            seen.add(editor.ghost().split(" (")[0])
            editor.lua("vim.lsp.inline_completion.select()")
        healthy(editor)


@test(only="native")
def a_new_server_of_ours_is_let_in_alone(case: Case) -> None:
    editor = case.edit("|\n", ANSWERS, before=OTHER)
    editor.type("x = ")
    editor.sees("foo(a)")
    old = editor.lua("return vim.lsp.get_clients({ name = 'truefill' })[1].id")
    editor.lua("vim.cmd('Truefill restart')")
    new = "return (vim.lsp.get_clients({ name = 'truefill', bufnr = 0 })[1] or {}).id"
    wait(lambda: editor.lua(new) not in (None, old), "no other server")
    editor.attached()
    editor.keys("<CR>x = ")
    editor.sees("foo(a)")
    module_has_asked(editor)
    assert asked(editor) == 0, f"it was asked {asked(editor)} times"
    healthy(editor)
