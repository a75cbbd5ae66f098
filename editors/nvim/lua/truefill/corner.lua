--- Texts in the corner of the screen, in nobody's way: their windows take no key and no focus.
local text = require("truefill.text")

local M = {}

local WIDTH = 64

--- Open windows, from top to bottom.
---@type integer[]
local windows = {}

local function fitted(texts)
  local width = math.max(math.min(WIDTH, vim.o.columns - 6), 1)
  local lines = text.wrapped(vim.split(table.concat(texts, "\n"), "\n", { plain = true }), width, "")
  local widest = 1
  for _, line in ipairs(lines) do
    widest = math.max(widest, vim.fn.strdisplaywidth(line))
  end
  return lines, math.min(widest, width)
end

--- The first row below the windows that are open.
local function free_row()
  windows = vim.tbl_filter(vim.api.nvim_win_is_valid, windows)
  local row = 1
  for _, window in ipairs(windows) do
    row = math.max(row, vim.api.nvim_win_get_config(window).row + vim.api.nvim_win_get_height(window) + 2)
  end
  return row
end

---@param window integer?
function M.close(window)
  if window and vim.api.nvim_win_is_valid(window) then
    vim.api.nvim_win_close(window, true)
  end
end

--- Shows texts for so many milliseconds.
---@param texts string[]
---@param milliseconds integer
---@return integer window
function M.show(texts, milliseconds)
  local lines, width = fitted(texts)
  local buf = vim.api.nvim_create_buf(false, true)
  vim.bo[buf].bufhidden = "wipe"
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  local window = vim.api.nvim_open_win(buf, false, {
    relative = "editor",
    anchor = "NE",
    row = free_row(),
    col = vim.o.columns - 1,
    width = width,
    height = #lines,
    style = "minimal",
    border = "rounded",
    title = " Truefill ",
    focusable = false,
    noautocmd = true,
  })
  windows[#windows + 1] = window
  vim.defer_fn(function()
    M.close(window)
  end, milliseconds)
  return window
end

return M
