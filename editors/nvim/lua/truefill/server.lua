--- The language server: how it is started, for which buffers, and what is heard of it.
local binary = require("truefill.binary")
local config = require("truefill.config")
local consent = require("truefill.consent")
local proxy = require("truefill.proxy")
local session = require("truefill.session")
local status = require("truefill.status")
local tell = require("truefill.tell")
local workspace = require("truefill.workspace")

local M = {}

local NAME = "truefill"

--- Ends of the server within so much time after which it is not started again.
local MOST_CRASHES, CRASH_WINDOW_MS = 3, 180000
local crashes = {}

--- Language ids where they differ from Neovim's file types.
local LANGUAGES = {
  sh = "shellscript",
  bash = "shellscript",
  zsh = "shellscript",
  cs = "csharp",
  make = "makefile",
  objc = "objective-c",
  objcpp = "objective-cpp",
  text = "plaintext",
  tex = "latex",
  ps1 = "powershell",
  gitcommit = "git-commit",
  gitrebase = "git-rebase",
}

--- The protocol's kinds of messages.
local LEVELS = { vim.log.levels.ERROR, vim.log.levels.WARN, vim.log.levels.INFO }

--- Only files have a place in a workspace, and only a language makes something worth suggesting.
local function is_file(buf)
  return vim.bo[buf].buftype == "" and vim.bo[buf].filetype ~= "" and vim.api.nvim_buf_get_name(buf) ~= ""
end

local function root_dir(buf, on_dir)
  if not is_file(buf) or not require("truefill").is_set_up() then
    return
  end
  local _, problem = binary.find()
  if problem then
    status.set({ kind = "Error", message = problem })
    tell.once(problem, vim.log.levels.ERROR)
    return
  end
  on_dir(workspace.root(buf))
end

--- One server for all folders: each one holds a model in memory.
local function reuse(client, wanted)
  if client.name ~= NAME or client:is_stopped() then
    return false
  end
  M.add_folder(client, wanted.root_dir)
  return true
end

---@param client vim.lsp.Client
---@param folder string?
function M.add_folder(client, folder)
  local folders = client.workspace_folders or {}
  for _, known in ipairs(folders) do
    if not folder or known.uri == vim.uri_from_fname(folder) then
      return
    end
  end
  if not folder then
    return
  end
  local added = { uri = vim.uri_from_fname(folder), name = folder }
  client.workspace_folders = vim.list_extend({ added }, folders)
  local function notify()
    client:notify("workspace/didChangeWorkspaceFolders", { event = { added = { added }, removed = {} } })
  end
  if client.initialized then
    notify()
  else
    M.later[client.id] = vim.list_extend(M.later[client.id] or {}, { notify })
  end
end

--- What waits for clients to be initialised.
---@type table<integer, fun()[]>
M.later = {}

--- The settings as the server gets them.
function M.settings()
  local settings = vim.deepcopy(config.current.settings)
  local answer = consent.answer()
  if answer ~= nil and vim.tbl_get(settings, "journal", "context") == nil then
    settings.journal = vim.tbl_extend("force", settings.journal or {}, { context = answer })
  end
  return next(settings) and settings or vim.empty_dict()
end

--- Tells running servers the settings anew.
function M.configure()
  for _, client in ipairs(vim.lsp.get_clients({ name = NAME })) do
    client:notify("workspace/didChangeConfiguration", { settings = { truefill = M.settings() } })
  end
end

--- Whether the last server refused to start: then it would refuse again.
local has_refused = false

local function refused(sentence)
  has_refused = true
  status.set({ kind = "Error", message = sentence })
  tell.user(("the server refuses to start: %s"):format(sentence), vim.log.levels.ERROR)
end

--- Starts the server for every buffer that should have it.
local function attach_all()
  if vim.lsp.is_enabled(NAME) then
    vim.lsp.enable(NAME)
  end
end

--- Whether one more crash is one too many.
local function crashes_too_often()
  local now = vim.uv.now()
  crashes = vim.tbl_filter(function(at)
    return now - at < CRASH_WINDOW_MS
  end, crashes)
  crashes[#crashes + 1] = now
  return #crashes > MOST_CRASHES
end

local function crashed(code, signal)
  local how = ("the server ended (exit status %d, signal %d)"):format(code, signal)
  if crashes_too_often() then
    local sentence = how .. "; `:Truefill log` may say why, `:Truefill restart` starts it again"
    status.set({ kind = "Error", message = sentence })
    return tell.user(sentence, vim.log.levels.ERROR)
  end
  tell.user(how .. " and is started again", vim.log.levels.WARN)
  status.set({ kind = "Starting", message = "The server is started again." })
  attach_all()
end

--- A server that ends by itself is started again, a few times; one that was told to end is not.
local function ended(code, signal, was_told)
  vim.schedule(function()
    if has_refused or vim.v.exiting ~= vim.NIL then
      return
    elseif was_told or (code == 0 and signal == 0) or not vim.lsp.is_enabled(NAME) then
      status.set({ kind = "Stopped", message = "The server does not run." })
    else
      crashed(code, signal)
    end
  end)
end

--- Starts the program. Neovim has a message of its own for one that ends badly, which makes who is typing
--- press a key; so it is told of a good end.
local function start(dispatchers)
  local path, problem = binary.find()
  if not path then
    error("truefill: " .. problem, 0)
  end
  has_refused = false
  status.set({ kind = "Starting", message = "The server starts." })
  local wrapped
  local ours = vim.tbl_extend("force", dispatchers, {
    on_exit = function(code, signal)
      dispatchers.on_exit(0, 0)
      ended(code, signal, wrapped ~= nil and wrapped.was_told_to_end())
    end,
  })
  local rpc = vim.lsp.rpc.start({ path, "serve" }, ours, { env = config.environment() })
  wrapped = proxy.wrap(rpc, { joined = session.joined, refused = refused })
  return wrapped
end

--- Stops the server and starts it anew.
function M.restart()
  tell.again()
  local clients = vim.lsp.get_clients({ name = NAME })
  for _, client in ipairs(clients) do
    client:stop()
  end
  local waited = 0
  local function again()
    waited = waited + 1
    if #vim.lsp.get_clients({ name = NAME }) > 0 and waited < 100 then
      return vim.defer_fn(again, 50)
    end
    crashes = {}
    attach_all()
  end
  again()
end

--- The configuration for `vim.lsp.config`.
---@return vim.lsp.Config
function M.config()
  return {
    cmd = start,
    root_dir = root_dir,
    reuse_client = reuse,
    -- Every key is told at once: when it was pressed says when a pause is likely.
    flags = { debounce_text_changes = 0, exit_timeout = 1500 },
    exit_timeout = 1500,
    capabilities = {
      general = { positionEncodings = { "utf-8", "utf-16" } },
      -- Without it the server puts its suggestions into the completion menu.
      textDocument = { inlineCompletion = { dynamicRegistration = false } },
    },
    get_language_id = function(_, filetype)
      return LANGUAGES[filetype] or filetype
    end,
    on_exit = function(_, _, client_id)
      M.later[client_id] = nil
    end,
    before_init = function(params)
      params.initializationOptions = M.settings()
    end,
    on_init = function(client)
      for _, waiting in ipairs(M.later[client.id] or {}) do
        waiting()
      end
      M.later[client.id] = nil
    end,
    handlers = {
      ["truefill/status"] = status.on_notification,
      ["window/showMessage"] = function(_, params)
        tell.user(params.message, LEVELS[params.type])
      end,
    },
  }
end

return M
