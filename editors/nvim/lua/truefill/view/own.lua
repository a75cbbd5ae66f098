--- Ghost text of our own, for a Neovim that has none and for who prefers it.
local drawn = require("truefill.view.drawn")
local menu = require("truefill.menu")

---@type truefill.View
local M = {
  namespace = vim.api.nvim_create_namespace("truefill.ghost"),
  more = "TruefillGhostMore",
}

local GROUP = "TruefillGhost"

--- A line as it is drawn from a column of the current window on: a tab ends where one in the text would.
local function spaced(line, column)
  local pieces = {}
  for piece, tab in line:gmatch("([^\t]*)(\t?)") do
    column = column + vim.fn.strdisplaywidth(piece, column)
    local width = tab == "" and 0 or vim.fn.strdisplaywidth(tab, column)
    pieces[#pieces + 1] = piece .. (" "):rep(width)
    column = column + width
  end
  return table.concat(pieces)
end

--- In front of a bracket the text would take over the bracket's highlight from the plugin that marks pairs;
--- elsewhere it should go with the cursor's line.
local function mode_of(offer)
  return offer.after:find("^[%(%)%[%]{}]") and "replace" or "combine"
end

local function draw(session, offer, rest)
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local lines, from = {}, vim.fn.strdisplaywidth(vim.api.nvim_get_current_line():sub(1, column))
  for line in vim.gsplit(rest, "\n", { plain = true }) do
    lines[#lines + 1] = { { spaced(line, from), GROUP } }
    from = 0
  end
  if session.hint then
    table.insert(lines[#lines], { (" (%d/%d)"):format(session.index, #session.offers), M.more })
  end
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
  local offer, rest = require("truefill.offers").current(session)
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
