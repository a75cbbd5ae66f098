--- Where suggestions are wanted. What is set for a buffer wins over what is set for its file type, and
--- that over what is set for all. File types of which nothing is set, `"*"`, are not narrower than all.
local config = require("truefill.config")

local M = {}

---@type { everywhere: boolean?, filetypes: table<string, boolean> }
local toggled = { everywhere = nil, filetypes = {} }

local function filetype_of(buf)
  return vim.bo[buf].filetype
end

local function everywhere()
  if toggled.everywhere ~= nil then
    return toggled.everywhere
  end
  return config.current.enabled
end

--- What is said of a file type itself.
---@return boolean?
local function said_of(filetype)
  if toggled.filetypes[filetype] ~= nil then
    return toggled.filetypes[filetype]
  end
  return config.current.filetypes[filetype]
end

---@return boolean
local function of_filetype(filetype)
  local said = said_of(filetype)
  if said ~= nil then
    return said
  end
  return everywhere() and config.current.filetypes["*"] ~= false
end

--- Whether suggestions are wanted in a buffer.
---@param buf integer
---@return boolean
function M.of(buf)
  local here = vim.b[buf].truefill
  if type(here) == "boolean" then
    return here
  end
  return of_filetype(filetype_of(buf))
end

local function word(on)
  return on and "on" or "off"
end

--- What something narrower says of a buffer where it says something else than what holds for all.
local function exception(buf, now)
  local filetype, here = filetype_of(buf), M.of(buf)
  if here == now then
    return ""
  elseif type(vim.b[buf].truefill) == "boolean" then
    return (", but %s in this buffer"):format(word(here))
  end
  return (", but %s for the file type `%s`"):format(word(here), filetype)
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
    return ("suggestions are %s in this buffer"):format(word(now))
  elseif scope == "filetype" then
    now = not of_filetype(filetype)
    toggled.filetypes[filetype] = now
    return ("suggestions are %s for the file type `%s`"):format(word(now), filetype)
  end
  now = not everywhere()
  toggled.everywhere = now
  return ("suggestions are %s%s"):format(word(now), exception(buf, now))
end

--- Forgets what was switched; the options hold.
function M.reset()
  toggled = { everywhere = nil, filetypes = {} }
end

return M
