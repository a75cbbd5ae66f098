--- Suggestions and the text around the cursor. Rows and columns count from 0, columns in bytes.
local text = require("truefill.text")

local M = {}

---@class truefill.Offer
---@field id string
---@field item table as the server sent it
---@field text string what it inserts, without carriage returns
---@field row integer where it begins
---@field column integer
---@field replaces integer bytes behind the cursor that it takes the place of
---@field after string the rest of the cursor's line as it was

local function cursor()
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  return row - 1, column
end

--- The place where the cursor is, `nil` where nothing can be suggested: not in insert mode, or elsewhere.
---@param buf integer
---@return string?
function M.of(buf)
  local inserting = vim.api.nvim_get_mode().mode:sub(1, 1) == "i"
  if not inserting or vim.api.nvim_get_current_buf() ~= buf or not vim.bo[buf].modifiable then
    return nil
  end
  local row, column = cursor()
  return ("%d:%d:%d"):format(vim.api.nvim_buf_get_changedtick(buf), row, column)
end

local function line_of(buf, row)
  return vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1]
end

--- The request's parameters.
---@param buf integer
---@param client vim.lsp.Client
---@param kind integer
function M.params(buf, client, kind)
  local row, column = cursor()
  local versions = vim.lsp.util.buf_versions
  return {
    textDocument = { uri = vim.uri_from_bufnr(buf), version = versions and versions[buf] },
    position = { line = row, character = text.character(line_of(buf, row) or "", column, client.offset_encoding) },
    context = { triggerKind = kind },
  }
end

---@return truefill.Offer?
local function offer(buf, item, client)
  local id = vim.tbl_get(item, "command", "arguments", 1)
  if type(item.insertText) ~= "string" or type(id) ~= "string" then
    return nil
  end
  local row, column = cursor()
  local found = { id = id, item = item, text = item.insertText:gsub("\r\n?", "\n"), row = row, column = column }
  local line = line_of(buf, row) or ""
  found.after, found.replaces = line:sub(column + 1), 0
  local range = item.range
  if type(range) == "table" then
    if range.start.line ~= row or range["end"].line ~= row then
      return nil
    end
    found.column = text.byte(line, range.start.character, client.offset_encoding)
    found.replaces = math.max(text.byte(line, range["end"].character, client.offset_encoding) - column, 0)
  end
  return M.rest(buf, found) and found
end

--- The answer's suggestions that fit where the cursor is.
---@param buf integer
---@param result table?
---@param client vim.lsp.Client
---@return truefill.Offer[]
function M.offers(buf, result, client)
  local offers = {}
  for _, item in ipairs(result and (result.items or result) or {}) do
    offers[#offers + 1] = offer(buf, item, client)
  end
  return offers
end

--- What is left of a suggestion at the cursor; `nil` where the text went another way.
---@param buf integer
---@param offered truefill.Offer
---@return string? rest
---@return string? typed
function M.rest(buf, offered)
  local row, column = cursor()
  local before = row < offered.row or (row == offered.row and column < offered.column)
  local line = line_of(buf, row)
  if before or not line or line:sub(column + 1) ~= offered.after then
    return nil
  end
  local typed = vim.api.nvim_buf_get_text(buf, offered.row, offered.column, row, column, {})
  local beginning = table.concat(typed, "\n")
  if #beginning >= #offered.text or not vim.startswith(offered.text, beginning) then
    return nil
  end
  return offered.text:sub(#beginning + 1), beginning
end

--- What is left of a suggestion, as an item of its own.
---@param buf integer
---@param offered truefill.Offer
---@param client vim.lsp.Client?
function M.item(buf, offered, client)
  local rest = M.rest(buf, offered)
  if not rest or not client then
    return nil
  end
  local row, column = cursor()
  local line = line_of(buf, row)
  local function position(byte)
    return { line = row, character = text.character(line, byte, client.offset_encoding) }
  end
  return {
    insertText = rest,
    range = { start = position(column), ["end"] = position(column + offered.replaces) },
    command = offered.item.command,
  }
end

--- Inserts a text at the cursor, which goes behind it. It is a step of its own for undo.
---@param buf integer
---@param inserted string
---@param replaces integer bytes behind the cursor to take out
function M.insert(buf, inserted, replaces)
  local function break_undo()
    vim.bo[buf].undolevels = vim.bo[buf].undolevels
  end
  local row, column = cursor()
  local lines = vim.split(inserted, "\n", { plain = true })
  break_undo()
  vim.api.nvim_buf_set_text(buf, row, column, row, column + replaces, lines)
  local last = #lines
  vim.api.nvim_win_set_cursor(0, { row + last, (last == 1 and column or 0) + #lines[last] })
  break_undo()
end

return M
