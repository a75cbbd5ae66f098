--- Ghost text of our own, for a Neovim that has none and for who prefers it.
local drawn = require("truefill.view.drawn")
local menu = require("truefill.menu")

---@type truefill.View
local M = {
  namespace = vim.api.nvim_create_namespace("truefill.ghost"),
  more = "TruefillGhostMore",
}

local GROUP = "TruefillGhost"

--- A line as it is drawn: a tab is as wide as the buffer's.
local function spaced(line, buf)
  return (line:gsub("\t", (" "):rep(vim.bo[buf].tabstop)))
end

--- In front of a bracket the text would take over the bracket's highlight from the plugin that marks pairs;
--- elsewhere it should go with the cursor's line.
local function mode_of(offer)
  return offer.after:find("^[%(%)%[%]{}]") and "replace" or "combine"
end

local function draw(session, offer, rest)
  local lines = {}
  for line in vim.gsplit(rest, "\n", { plain = true }) do
    lines[#lines + 1] = { { spaced(line, session.buf), GROUP } }
  end
  if session.hint then
    table.insert(lines[#lines], { (" (%d/%d)"):format(session.index, #session.offers), M.more })
  end
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  vim.api.nvim_buf_set_extmark(session.buf, M.namespace, row - 1, column, {
    virt_text = lines[1],
    virt_lines = vim.list_slice(lines, 2),
    virt_text_pos = offer.replaces > 0 and "overlay" or "inline",
    hl_mode = mode_of(offer),
  })
end

function M.hide(session)
  if vim.api.nvim_buf_is_valid(session.buf) then
    vim.api.nvim_buf_clear_namespace(session.buf, M.namespace, 0, -1)
  end
end

function M.update(session)
  M.hide(session)
  local offer, rest = require("truefill.session").current(session)
  if offer and not menu.hides() then
    draw(session, offer, rest)
  end
end

M.show, M.refresh, M.select = M.update, M.update, M.update
M.taken, M.detach = M.hide, M.hide

function M.drawn(session)
  local ghost = drawn.of(session.buf, M)
  return ghost and session.offers[session.index], ghost
end

function M.visible(session)
  local _, ghost = M.drawn(session)
  return ghost ~= nil and drawn.at_cursor(ghost)
end

function M.attach() end
function M.asked() end
function M.advanced() end
function M.delivered() end
function M.accept_other()
  return false
end

return M
