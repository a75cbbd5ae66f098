--- Ghost text of Neovim's own module, `vim.lsp.inline_completion`.
---
--- It draws what its own requests get, and those get what the session has: see `truefill.proxy`. It goes
--- on drawing a suggestion that the text has left, until the next answer is there: that is erased here.
local drawn = require("truefill.view.drawn")
local menu = require("truefill.menu")

---@type truefill.View
local M = {
  namespace = vim.api.nvim_create_namespace("nvim.lsp.inline_completion"),
  more = "ComplHintMore",
}

local function erase(buf)
  if vim.api.nvim_buf_is_valid(buf) then
    vim.api.nvim_buf_clear_namespace(buf, M.namespace, 0, -1)
  end
end

--- Makes the module ask, as it does when the cursor moves.
local function poke(buf)
  if not vim.api.nvim_buf_is_valid(buf) or vim.api.nvim_get_mode().mode:sub(1, 1) ~= "i" then
    return
  end
  local options = { group = ("nvim.lsp.inline_completion:%d"):format(buf), buffer = buf, modeline = false }
  if not pcall(vim.api.nvim_exec_autocmds, "CursorMovedI", options) then
    options.group = nil
    vim.api.nvim_exec_autocmds("CursorMovedI", options)
  end
end

--- Takes from the module what it holds: to be told to accept is the only way to make it let go.
local function take(buf)
  erase(buf)
  if vim.api.nvim_buf_is_valid(buf) then
    vim.lsp.inline_completion.get({ bufnr = buf, on_accept = function() end })
  end
end

--- Whether a ghost text is what is left of a suggestion. The module leaves out a beginning that stands
--- behind the cursor anyway.
local function is_of(session, ghost, offer)
  local rest = require("truefill.place").rest(session.buf, offer)
  if not rest or not vim.endswith(rest, ghost.text) then
    return false
  end
  local column = vim.api.nvim_win_get_cursor(0)[2]
  local left_out = rest:sub(1, #rest - #ghost.text)
  return vim.startswith(offer.after, left_out) and ghost.column == column + #left_out
end

--- The offer that is on the screen; none where it is another server's. Neovim's functions may have
--- selected another one than the session's, but only of what Neovim has got already.
function M.drawn(session)
  local ghost = drawn.of(session.buf, M)
  for index, offer in ipairs(ghost and session.offers or {}) do
    if is_of(session, ghost, offer) then
      if session.delivered == session.number then
        session.index = index
      end
      return offer, ghost
    end
  end
  return nil, ghost
end

function M.update(session)
  local offer, ghost = M.drawn(session)
  if not ghost then
    return
  end
  -- What nobody of ours delivered is another server's.
  local stale = not offer and session.delivered
  if menu.hides() or stale then
    erase(session.buf)
  end
end

function M.show(session)
  M.update(session)
end

--- A menu came or went.
function M.refresh(session)
  M.update(session)
  if #session.offers > 0 and not menu.hides() and not drawn.of(session.buf, M) then
    poke(session.buf)
  end
end

function M.delivered(session, items)
  session.delivered = #items > 0 and session.number or nil
end

function M.hide(session)
  if session.delivered then
    session.delivered = nil
    take(session.buf)
  end
end

--- It draws the rest of its line when it sees the cursor, and of further lines with its next answer.
function M.advanced(session)
  poke(session.buf)
end

--- What the module is asked to let go it does later, and it drops the request that is to come then.
function M.taken(session)
  take(session.buf)
  vim.schedule(function()
    poke(session.buf)
  end)
end

function M.asked(session)
  poke(session.buf)
end

function M.select(session, count)
  vim.lsp.inline_completion.select({ bufnr = session.buf, count = count })
  M.drawn(session)
end

function M.visible(session)
  local _, ghost = M.drawn(session)
  return ghost ~= nil and drawn.at_cursor(ghost)
end

--- Accepts a suggestion of another server.
function M.accept_other(session)
  return vim.lsp.inline_completion.get({ bufnr = session.buf })
end

--- For the buffer, not for the client in it: Neovim 0.12 forgets to let go of a client that ends if it was
--- enabled by itself.
function M.attach(session)
  vim.lsp.inline_completion.enable(true, { bufnr = session.buf })
end

function M.detach() end

return M
