--- `:checkhealth truefill`.
local M = {}

local health = vim.health

local function check_neovim()
  health.start("Truefill: Neovim")
  local version = tostring(vim.version())
  if vim.fn.has("nvim-0.11") == 0 then
    return health.error(("Neovim %s is too old"):format(version), "Truefill needs Neovim 0.11 or newer")
  end
  local native = require("truefill.config").native()
  health.ok(("Neovim %s; ghost text is %s"):format(version, native and "Neovim's own" or "the plugin's"))
  if not require("truefill").is_set_up() then
    health.warn("nothing is set up", 'call require("truefill").setup({}) in your configuration')
  end
end

local function check_program()
  health.start("Truefill: program")
  local path, problem = require("truefill.binary").find()
  if not path then
    health.error(problem)
    return nil
  end
  local done = vim.system({ path, "--version" }, { text = true }):wait(5000)
  if done.code ~= 0 then
    health.error(("`%s --version` ended with status %d"):format(path, done.code), "build the program anew")
    return nil
  end
  health.ok(("`%s`: %s"):format(path, vim.trim(done.stdout)))
  return path
end

local REPORT = { ok = health.ok, warn = health.warn }

--- What the store has under a name: a checkpoint's id, or what stands for it.
local function stored(path, name, environment)
  local done = vim.system({ path, "models", "list", "--json" }, { text = true, env = environment }):wait(5000)
  local ok, listed = pcall(vim.json.decode, done.stdout or "")
  for _, checkpoint in ipairs(ok and type(listed) == "table" and listed.checkpoints or {}) do
    if vim.startswith(checkpoint.id, name) or vim.list_contains(checkpoint.aliases, name) then
      return checkpoint.id
    end
  end
end

--- The model that `settings` name, of which `truefill doctor` knows nothing. Whether it opens, the server says.
local function check_model(path, name, environment)
  local is_file = vim.uv.fs_stat(vim.fs.normalize(name)) ~= nil
  local found = is_file and name or stored(path, name, environment)
  local sentence = ("model: `%s`, which `settings` in setup() name, is %s"):format(name, found or "not in the store")
  if found then
    return health.ok(sentence)
  end
  health.error(sentence, ("truefill models pull %s"):format(name))
end

--- Checks of `truefill doctor`, which reads truefill.toml alone, that are of another model than the one served.
local OF_MODEL = { "model", "engine" }

--- What `truefill doctor` finds. It opens the model, which may take a while.
local function check_installation(path)
  health.start("Truefill: what the program needs")
  local environment = require("truefill.config").environment()
  local done = vim.system({ path, "doctor", "--json" }, { text = true, env = environment }):wait(60000)
  local ok, report = pcall(vim.json.decode, done.stdout or "")
  if not ok or type(report) ~= "table" or type(report.checks) ~= "table" then
    return health.error(("`%s doctor --json` printed no report"):format(path), vim.trim(done.stderr or ""))
  end
  local model = vim.tbl_get(require("truefill.config").current.settings, "model", "id")
  for _, check in ipairs(report.checks) do
    if not (model and vim.list_contains(OF_MODEL, check.name)) then
      local tell = REPORT[check.level] or health.error
      tell(("%s: %s"):format(check.name, check.found), type(check.advice) == "string" and check.advice or nil)
    end
  end
  if model then
    check_model(path, model, environment)
  end
end

local SERVER = { Normal = health.ok, Starting = health.info, Inactive = health.info, Stopped = health.info }

local function check_server()
  health.start("Truefill: server")
  local now = require("truefill.status").of()
  local tell = SERVER[now.kind] or (now.kind == "Warning" and health.warn or health.error)
  tell(now.message)
  local clients = vim.lsp.get_clients({ name = "truefill" })
  for _, client in ipairs(clients) do
    local buffers = vim.tbl_count(client.attached_buffers)
    local served = ("%d buffer%s"):format(buffers, buffers == 1 and "" or "s")
    health.info(("it serves %s; positions count %s"):format(served, client.offset_encoding))
  end
  if not require("truefill.config").current.enabled then
    health.info("`enabled` in setup() is false: there are no suggestions before `:Truefill toggle`")
  end
  health.info("the journal is kept " .. require("truefill.consent").sentence())
end

--- Plugins that map keys over ours and pass them on while their menu is closed.
local function passes_on(mapping)
  local by = mapping and mapping.desc or ""
  return vim.startswith(by, "cmp.") or vim.startswith(by, "blink.cmp")
end

--- Keys that something else has taken over in the buffers where the server is.
local function check_keys()
  health.start("Truefill: keys")
  local taken = require("truefill.keys").taken()
  for _, key in ipairs(taken) do
    local by = key.mapping and (key.mapping.desc or key.mapping.rhs) or "nothing"
    local sentence = ("`%s` (%s) is mapped to `%s` in `%s`"):format(key.key, key.name, by, key.file)
    if passes_on(key.mapping) then
      health.info(sentence .. ", which passes it on while its menu is closed")
    else
      health.warn(sentence, "give one of both another key: `:help truefill-keys`")
    end
  end
  if #taken == 0 then
    health.ok("the keys are the plugin's wherever the server is")
  end
end

function M.check()
  check_neovim()
  local path = check_program()
  if path then
    check_installation(path)
  end
  check_server()
  check_keys()
end

return M
