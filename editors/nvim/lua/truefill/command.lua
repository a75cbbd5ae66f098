--- `:Truefill`.
local enabled = require("truefill.enabled")
local pages = require("truefill.pages")
local program = require("truefill.program")
local tell = require("truefill.tell")
local text = require("truefill.text")

local M = {}

--- Shows what a command of the program prints.
local function show(name, arguments)
  program.run(arguments, function(done)
    pages.split(name, program.lines(done))
  end)
end

local function status()
  local now = require("truefill").state()
  local path, problem = require("truefill.binary").find()
  pages.facts({
    { "state", now.state },
    { "server", now.message },
    { "arms", now.arms ~= "" and now.arms or "nothing is compared" },
    { "here", now.enabled and "suggestions are on" or "suggestions are off" },
    { "ghost text", require("truefill.config").native() and "Neovim's own" or "the plugin's" },
    { "journal", require("truefill.consent").sentence() },
    { "program", path or problem },
  })
end

local function toggle(arguments)
  local scope = arguments[1] or "global"
  if not vim.list_contains({ "global", "filetype", "buffer" }, scope) then
    return tell.user(("`:Truefill toggle` expects global, filetype or buffer, found `%s`"):format(scope),
      vim.log.levels.ERROR)
  end
  tell.user(require("truefill").toggle(scope))
end

local function arms(arguments)
  local asked = #arguments > 0 and arguments or { "show" }
  program.run(vim.list_extend({ "arms" }, asked), function(done)
    pages.split("arms", program.lines(done))
  end)
end

local function why()
  require("truefill.why").show(vim.api.nvim_get_current_buf())
end

local function prompt()
  local buf = vim.api.nvim_get_current_buf()
  require("truefill.ask").here(buf, "truefill.prompt", function(err, found)
    if not found then
      local problem = err and err.message or "the server does not serve this buffer: `:Truefill status` says why"
      return tell.user(problem, vim.log.levels.WARN)
    end
    local facts = ("%d tokens, SHA-256 %s"):format(found.tokens, found.sha256)
    pages.split("prompt", vim.list_extend(vim.split(found.prompt, "\n"), { "", facts }))
  end)
end

local function pull(arguments)
  local asked = #arguments > 0 and arguments or { "default" }
  tell.user(("fetching `%s`"):format(asked[1]))
  program.run(vim.list_extend({ "models", "pull" }, asked), function(done)
    if done.code ~= 0 then
      return pages.split("pull", program.lines(done))
    end
    for _, line in ipairs(vim.split(vim.trim(done.stdout or ""), "\n")) do
      tell.user(line)
    end
    require("truefill.server").restart()
  end, tell.user)
end

local function context(arguments)
  local answer = arguments[1]
  if answer ~= "on" and answer ~= "off" then
    return tell.user("`:Truefill context` expects on or off: whether the journal keeps code around suggestions",
      vim.log.levels.ERROR)
  end
  require("truefill.consent").set(answer == "on")
  tell.user("the journal is kept " .. require("truefill.consent").sentence())
end

--- Subcommands: what they do, and what completes their first argument.
local COMMANDS = {
  status = { run = status },
  stats = { run = function(arguments)
    show("stats", vim.list_extend({ "stats" }, arguments))
  end },
  why = { run = why },
  toggle = { run = toggle, completes = { "global", "filetype", "buffer" } },
  arms = { run = arms, completes = { "show", "set", "stop", "rollback", "clear" } },
  log = { run = function()
    pages.split("log", require("truefill.log").lines())
    vim.cmd.normal({ "G", bang = true })
  end },
  restart = { run = function()
    require("truefill.server").restart()
  end },
  prompt = { run = prompt },
  pull = { run = pull, completes = { "default" } },
  context = { run = context, completes = { "on", "off" } },
}

---@param arguments string[]
function M.run(arguments)
  local name = arguments[1] or "status"
  local command = COMMANDS[name]
  if not command then
    local sentence = "there is no `:Truefill %s`, the nearest is `:Truefill %s`"
    return tell.user(sentence:format(name, text.nearest(name, vim.tbl_keys(COMMANDS))), vim.log.levels.ERROR)
  elseif not require("truefill").is_set_up() then
    return tell.user('nothing is set up; call require("truefill").setup({}) first', vim.log.levels.ERROR)
  end
  command.run(vim.list_slice(arguments, 2))
end

--- Completes subcommands and their arguments.
---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local words = vim.split(vim.trim(line:gsub("^.-Truefill!?%s*", "", 1)), "%s+", { trimempty = true })
  local done = lead == "" and #words or #words - 1
  local candidates = {}
  if done == 0 then
    candidates = vim.tbl_keys(COMMANDS)
  elseif done == 1 and COMMANDS[words[1]] then
    candidates = vim.deepcopy(COMMANDS[words[1]].completes or {})
  end
  candidates = vim.tbl_filter(function(candidate)
    return vim.startswith(candidate, lead)
  end, candidates)
  table.sort(candidates)
  return candidates
end

return M
