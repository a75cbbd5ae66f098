--- Ghost text as it stands in a buffer's marks, whoever drew it.
local M = {}

---@class truefill.View
---@field namespace integer
---@field more string highlight group of an alternative's number
---@field attach fun(session: truefill.Session)
---@field detach fun(session: truefill.Session)
---@field show fun(session: truefill.Session) something else is on offer
---@field update fun(session: truefill.Session) the cursor moved
---@field refresh fun(session: truefill.Session) a menu came or went
---@field hide fun(session: truefill.Session)
---@field taken fun(session: truefill.Session) all of it was accepted
---@field advanced fun(session: truefill.Session) a part of it was accepted
---@field asked fun(session: truefill.Session) the user asked by hand
---@field delivered fun(session: truefill.Session, items: table[]) Neovim's module got these
---@field select fun(session: truefill.Session, count: integer)
---@field drawn fun(session: truefill.Session): truefill.Offer?, truefill.Ghost?
---@field visible fun(session: truefill.Session): boolean whether there is ghost text at the cursor
---@field accept_other fun(session: truefill.Session): boolean

---@class truefill.Ghost
---@field row integer
---@field column integer
---@field text string

local function joined(chunks, more)
  local texts = {}
  for _, chunk in ipairs(chunks or {}) do
    if chunk[2] ~= more then
      texts[#texts + 1] = chunk[1]
    end
  end
  return table.concat(texts)
end

--- The ghost text of a buffer. A mark without text, as Neovim leaves it where all was typed, is none.
---@param buf integer
---@param view truefill.View
---@return truefill.Ghost?
function M.of(buf, view)
  local marks = vim.api.nvim_buf_get_extmarks(buf, view.namespace, 0, -1, { details = true, limit = 1 })
  local mark = marks[1]
  if not mark then
    return nil
  end
  local details = mark[4]
  local lines = { joined(details.virt_text, view.more) }
  for _, chunks in ipairs(details.virt_lines or {}) do
    lines[#lines + 1] = joined(chunks, view.more)
  end
  local text = table.concat(lines, "\n")
  return text ~= "" and { row = mark[2], column = mark[3], text = text } or nil
end

--- Whether a ghost text goes on where the cursor of the current window is.
---@param ghost truefill.Ghost
function M.at_cursor(ghost)
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  return ghost.row == row - 1 and ghost.column >= column
end

return M
