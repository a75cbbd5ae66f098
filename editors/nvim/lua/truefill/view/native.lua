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

--- What Neovim holds of its ghost text in a buffer. There is no public way to it.
local function completor(buf)
  local known, capability = pcall(require, "vim.lsp._capability")
  return known and vim.tbl_get(capability, "all", "inline_completion", "active", buf) or nil
end

--- Enabled everywhere, Neovim 0.12 begins anew in a buffer for each of its clients, and so holds the last one
--- alone. The others that it says are enabled come back here.
local function mend(session)
  local holds = completor(session.buf)
  if not holds or not holds.client_state or holds == session.held then
    return
  end
  session.held = holds
  for _, client in ipairs(vim.lsp.get_clients({ bufnr = session.buf, method = "textDocument/inlineCompletion" })) do
    local enabled = vim.lsp.inline_completion.is_enabled({ bufnr = session.buf, client_id = client.id })
    if enabled and not holds.client_state[client.id] then
      holds:on_attach(client.id)
    end
  end
end

--- Makes the module ask, as it does when the cursor moves.
local function poke(buf)
  if vim.api.nvim_get_current_buf() ~= buf or vim.api.nvim_get_mode().mode:sub(1, 1) ~= "i" then
    return
  end
  local options = { group = ("nvim.lsp.inline_completion:%d"):format(buf), buffer = buf, modeline = false }
  if not pcall(vim.api.nvim_exec_autocmds, "CursorMovedI", options) then
    options.group = nil
    vim.api.nvim_exec_autocmds("CursorMovedI", options)
  end
end

--- Takes from the module what it holds: to be told to accept is the only way to make it let go. It does so
--- later, and drops the request that keys in between have made.
local function take(buf)
  erase(buf)
  if vim.api.nvim_buf_is_valid(buf) and vim.lsp.inline_completion.get({ bufnr = buf, on_accept = function() end }) then
    vim.schedule(function()
      poke(buf)
    end)
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
  mend(session)
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

function M.taken(session)
  take(session.buf)
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

--- For our client alone, because for the buffer it would be for every server in it, which is not ours to
--- decide; and so it would be for a client that has ended. Neovim knows that the client is in the buffer only
--- behind the event.
function M.attach(session)
  vim.schedule(function()
    if vim.lsp.buf_is_attached(session.buf, session.client_id) then
      vim.lsp.inline_completion.enable(true, { bufnr = session.buf, client_id = session.client_id })
    end
  end)
end

--- Neovim 0.12 forgets to let go of a client that was enabled by itself, and then asks one that has ended.
function M.detach(session)
  local holds = completor(session.buf)
  if not holds or not holds.client_state or not holds.client_state[session.client_id] then
    return
  end
  holds:on_detach(session.client_id)
  if next(holds.client_state) == nil then
    holds:destroy()
  end
end

return M
