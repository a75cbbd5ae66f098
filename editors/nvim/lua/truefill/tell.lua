--- Messages to the user.
local corner = require("truefill.corner")

local M = {}

local SHOWN_MS = 12000

local told = {}

--- What was told, with the time.
---@type string[]
local history = {}
local MOST = 100

--- Whether nobody has put another function in the place of Neovim's own, which comes from its inner modules, or
--- from the program itself without a trace.
local function is_built_in()
  local source = debug.getinfo(vim.notify, "S").source
  return source == "?" or vim.startswith(source, "@vim/_")
end

--- What does not fit into the message line makes Neovim wait for a key, which who is typing presses unread.
local function fits(message)
  return not message:find("\n", 1, true) and vim.fn.strdisplaywidth(message) < vim.v.echospace
end

local function show(sentence, level)
  local message = "Truefill: " .. sentence
  table.insert(history, os.date("%H:%M:%S ") .. sentence)
  if #history > MOST then
    table.remove(history, 1)
  end
  if fits(message) or not is_built_in() then
    return vim.notify(message, level, { title = "Truefill" })
  end
  corner.show({ sentence }, SHOWN_MS)
end

---@param sentence string
---@param level integer? one of vim.log.levels
function M.user(sentence, level)
  vim.schedule(function()
    show(sentence, level or vim.log.levels.INFO)
  end)
end

--- The same thing is told once.
---@param sentence string
---@param level integer?
function M.once(sentence, level)
  if not told[sentence] then
    told[sentence] = true
    M.user(sentence, level)
  end
end

--- What was told, the last one last.
---@return string[]
function M.history()
  return history
end

--- What was told may be told once more.
function M.again()
  told = {}
end

return M
