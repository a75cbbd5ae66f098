--- What became of suggestions, told to the server. A suggestion is named by its item as it was sent.
local text = require("truefill.text")

local M = {}

--- It is on the screen.
---@param client vim.lsp.Client
---@param item table
function M.shown(client, item)
  client:notify("textDocument/didShowCompletion", { item = item })
end

--- The first `taken` bytes of it were accepted, or typed before that.
---@param client vim.lsp.Client
---@param item table
---@param taken string
function M.partially_accepted(client, item, taken)
  client:notify("textDocument/didPartiallyAcceptCompletion", {
    item = item,
    acceptedLength = text.utf16_length(taken),
  })
end

--- All that was left of it was accepted.
---@param client vim.lsp.Client
---@param item table
---@param buf integer
function M.accepted(client, item, buf)
  client:exec_cmd(item.command, { bufnr = buf }, function() end)
end

--- The user turned it down.
---@param client vim.lsp.Client
---@param id string
---@param reason string a code
function M.rejected(client, id, reason)
  client:notify("truefill/didReject", { id = id, reason = reason })
end

return M
