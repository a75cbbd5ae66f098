--- Why is there no suggestion?
local pages = require("truefill.pages")

local M = {}

local function ask(buf, callback)
  require("truefill.ask").here(buf, "truefill.why", function(_, result)
    callback(result)
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

--- The arm that the buffer has now, where there are arms.
local function arm(found)
  local name, checkpoint = vim.tbl_get(found, "arm", "name"), vim.tbl_get(found, "arm", "checkpoint")
  return name and ("%s: %s"):format(name, checkpoint)
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
      { "arm", arm(found) },
      { "here", vim.tbl_get(found, "here", "message") },
      { "last", vim.tbl_get(found, "last", "message") },
      { "shape", vim.tbl_get(found, "last", "shape") },
      { "guard", vim.tbl_get(found, "last", "guard") },
      { "index", reading and "The workspace's symbols are still being read." or nil },
    })
  end)
end

return M
