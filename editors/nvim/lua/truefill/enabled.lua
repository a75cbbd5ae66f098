--- Where suggestions are wanted. What is set for a buffer wins over what is set for its file type, and
--- that over what is set for all.
local config = require("truefill.config")

local M = {}

---@type { everywhere: boolean?, filetypes: table<string, boolean> }
local toggled = { everywhere = nil, filetypes = {} }

local function filetype_of(buf)
  return vim.bo[buf].filetype
end

local function of_filetype(filetype)
  local configured = config.current.filetypes
  if toggled.filetypes[filetype] ~= nil then
    return toggled.filetypes[filetype]
  elseif configured[filetype] ~= nil then
    return configured[filetype]
  end
  return configured["*"]
end

local function everywhere()
  if toggled.everywhere ~= nil then
    return toggled.everywhere
  end
  return config.current.enabled
end

--- Whether suggestions are wanted in a buffer.
---@param buf integer
---@return boolean
function M.of(buf)
  local here = vim.b[buf].truefill
  if type(here) == "boolean" then
    return here
  end
  if not everywhere() then
    return false
  end
  return of_filetype(filetype_of(buf)) ~= false
end

--- Switches them, and says what holds then.
---@param scope "global"|"filetype"|"buffer"
---@param buf integer
---@return string
function M.toggle(scope, buf)
  local filetype, now = filetype_of(buf), nil
  if scope == "buffer" then
    now = not M.of(buf)
    vim.b[buf].truefill = now
    return ("suggestions are %s in this buffer"):format(now and "on" or "off")
  elseif scope == "filetype" then
    now = of_filetype(filetype) == false
    toggled.filetypes[filetype] = now
    return ("suggestions are %s for the file type `%s`"):format(now and "on" or "off", filetype)
  end
  now = not everywhere()
  toggled.everywhere = now
  return ("suggestions are %s"):format(now and "on" or "off")
end

--- Forgets what was switched; the options hold.
function M.reset()
  toggled = { everywhere = nil, filetypes = {} }
end

return M
