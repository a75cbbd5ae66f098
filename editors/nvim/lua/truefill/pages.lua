--- Texts to read: in a split of their own, or in a window beside the cursor.
local text = require("truefill.text")

local M = {}

--- Shows lines in a split; one page of a name at a time.
---@param name string
---@param lines string[]
---@param filetype string?
function M.split(name, lines, filetype)
  local title = "truefill://" .. name
  local buf = vim.fn.bufnr("^" .. vim.fn.escape(title, "/") .. "$")
  if buf < 0 then
    buf = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_name(buf, title)
    vim.keymap.set("n", "q", "<Cmd>close<CR>", { buffer = buf, nowait = true, desc = "Close" })
  end
  vim.bo[buf].bufhidden = "wipe"
  vim.bo[buf].modifiable = true
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  vim.bo[buf].modifiable = false
  vim.bo[buf].modified = false
  vim.bo[buf].filetype = filetype or "truefill"
  local window = vim.fn.bufwinid(buf)
  if window < 0 then
    local height = math.max(math.min(#lines, math.floor(vim.o.lines / 2)), 1)
    window = vim.api.nvim_open_win(buf, true, { split = "below", win = -1, height = height })
    vim.wo[window].winfixheight = true
  end
  vim.api.nvim_set_current_win(window)
end

--- Shows a few lines beside the cursor until it moves.
---@param lines string[]
---@param indent string? in front of what does not fit on its line
function M.beside(lines, indent)
  local width = math.min(100, math.max(vim.o.columns - 6, 20))
  vim.lsp.util.open_floating_preview(text.wrapped(lines, width, indent or ""), "text", {
    border = "rounded",
    focus_id = "truefill",
    focusable = false,
    title = " Truefill ",
    max_width = width,
  })
end

--- Shows what things are beside the cursor: names, and what is said of them.
---@param facts [string, string?][]
function M.facts(facts)
  local format, lines = "%-10s %s", {}
  for _, fact in ipairs(facts) do
    if type(fact[2]) == "string" then
      lines[#lines + 1] = format:format(fact[1], fact[2])
    end
  end
  M.beside(lines, format:format("", ""))
end

return M
