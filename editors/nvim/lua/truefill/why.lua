--- Why is there no suggestion?
local pages = require("truefill.pages")
local session = require("truefill.session")
local text = require("truefill.text")

local M = {}

local function ask(buf, callback)
  local held = session.of(buf)
  local client = held and session.client(held)
  if not client or not client.initialized then
    return callback(nil)
  end
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local line = vim.api.nvim_buf_get_lines(buf, row - 1, row, false)[1] or ""
  local position = { line = row - 1, character = text.character(line, column, client.offset_encoding) }
  local command = { title = "why", command = "truefill.why", arguments = { vim.uri_from_bufnr(buf), position } }
  client:exec_cmd(command, { bufnr = buf }, function(err, result)
    callback(not err and result or nil)
  end)
end

--- Says why a request got nothing; beside the cursor, because the mode takes the message line in insert
--- mode.
---@param buf integer
function M.tell(buf)
  ask(buf, function(found)
    local message = found and vim.tbl_get(found, "last", "message")
    if message and not found.last.suggested then
      pages.beside({ message })
    end
  end)
end

--- Shows everything that the server says of the cursor's place.
---@param buf integer
function M.show(buf)
  ask(buf, function(found)
    if not found then
      local now = require("truefill.status").of(buf)
      return pages.beside({ "The server does not serve this buffer: " .. now.message })
    end
    local reading = vim.tbl_get(found, "index", "complete") == false
    pages.facts({
      { "server", vim.tbl_get(found, "status", "message") },
      { "here", vim.tbl_get(found, "here", "message") },
      { "last", vim.tbl_get(found, "last", "message") },
      { "shape", vim.tbl_get(found, "last", "shape") },
      { "guard", vim.tbl_get(found, "last", "guard") },
      { "index", reading and "The workspace's symbols are still being read." or nil },
    })
  end)
end

return M
