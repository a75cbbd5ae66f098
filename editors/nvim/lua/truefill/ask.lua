--- Asks the server by a command about the cursor's place, of the text as it is in the buffer.
local session = require("truefill.session")
local text = require("truefill.text")

local M = {}

--- The answer comes later; neither an error nor a result where no server has the buffer.
---@param buf integer the current one
---@param name string the command's name
---@param callback fun(err: lsp.ResponseError?, result: table?)
function M.here(buf, name, callback)
  local held = session.of(buf)
  local client = held and session.client(held)
  if not client or not client.initialized then
    return callback(nil, nil)
  end
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local line = vim.api.nvim_buf_get_lines(buf, row - 1, row, false)[1] or ""
  local position = { line = row - 1, character = text.character(line, column, client.offset_encoding) }
  local command = { title = name, command = name, arguments = { vim.uri_from_bufnr(buf), position } }
  client:exec_cmd(command, { bufnr = buf }, function(err, result)
    callback(err, not err and result or nil)
  end)
end

return M
