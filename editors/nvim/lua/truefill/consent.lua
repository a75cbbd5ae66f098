--- Whether the journal may keep code. It is asked once, on the first run, and remembered in a file of
--- Neovim's state folder. The question waits in a corner of the screen; without an answer it is as
--- truefill.toml says, else no.
local config = require("truefill.config")
local corner = require("truefill.corner")

local M = {}

local QUESTION = {
  "May the private journal on this machine also keep the code around suggestions, with secrets taken out, so that "
    .. "a model can learn from it? Nothing leaves this machine.",
  "",
  "  :Truefill context on     yes",
  "  :Truefill context off    no",
  "",
  "Without an answer it is as truefill.toml says, else no.",
}

--- Without an answer the question goes away, and does not come back.
local STAYS_MS = 60000

---@type integer?
local window

local function file()
  return vim.fs.joinpath(vim.fn.stdpath("state") --[[@as string]], "truefill", "answers.json")
end

---@return table
local function answers()
  local ok, lines = pcall(vim.fn.readfile, file())
  local decoded, found = pcall(vim.json.decode, ok and table.concat(lines, "\n") or "{}")
  return decoded and type(found) == "table" and found or {}
end

local function remember(found)
  local made = pcall(vim.fn.mkdir, vim.fs.dirname(file()), "p")
  local written, result = pcall(vim.fn.writefile, { vim.json.encode(found) }, file())
  if not made or not written or result ~= 0 then
    require("truefill.tell").user(("the answer could not be written to `%s`"):format(file()), vim.log.levels.ERROR)
  end
end

--- What was answered, `nil` where nobody answered.
---@return boolean?
function M.answer()
  local found = answers().journal_context
  if type(found) == "boolean" then
    return found
  end
end

--- Remembers an answer and tells the server.
---@param yes boolean
function M.set(yes)
  corner.close(window)
  remember({ journal_context = yes })
  require("truefill.server").configure()
end

--- What holds, as a sentence.
---@return string
function M.sentence()
  local keeps, how = vim.tbl_get(config.current.settings, "journal", "context"), "`settings` in setup()"
  if keeps == nil then
    keeps, how = M.answer(), "`:Truefill context on` and `off`"
  end
  if keeps == nil then
    return "as truefill.toml says, without code if it says nothing (`:Truefill context on` keeps code)"
  end
  return ("%s, by %s"):format(keeps and "with the code around suggestions" or "without code", how)
end

local function is_settled()
  local found, journal = answers(), config.current.settings.journal or {}
  return found.journal_context ~= nil or found.asked == true or journal.context ~= nil or journal.enabled == false
end

--- Asks, unless it was asked before, is set, or nobody is there to read it.
function M.ask()
  if window or is_settled() or #vim.api.nvim_list_uis() == 0 then
    return
  end
  remember({ asked = true })
  window = corner.show(QUESTION, STAYS_MS)
end

return M
