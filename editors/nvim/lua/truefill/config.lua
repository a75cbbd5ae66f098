--- The plugin's options. What the server is configured with is in `settings`, passed on as it is: the
--- server says what is wrong with it.
local text = require("truefill.text")

local M = {}

---@class truefill.Options
---@field binary string? path of `truefill`; without it, the one in PATH
---@field env table<string, string> environment of the server and of commands
---@field settings table<string, table> the server's settings, as docs/config.md has them
---@field enabled boolean whether it suggests anywhere before it is toggled
---@field filetypes table<string, boolean> file types where it does not; `"*"` is all others
---@field ghost "auto"|"native"|"own" who draws ghost text
---@field menu "show"|"hide" whether ghost text is drawn while a completion menu is open
---@field menu_visible (fun(): boolean)? says whether a menu is open that the plugin does not know
---@field keys table<string, string|false> keys in insert mode, `false` for none
---@field icons table<string, string> what the statusline shows for each state
---@field log string? what the server writes into its log: see `TRUEFILL_LOG`

---@type truefill.Options
M.defaults = {
  binary = nil,
  env = {},
  settings = {},
  enabled = true,
  filetypes = {},
  ghost = "auto",
  menu = "show",
  menu_visible = nil,
  keys = {
    accept = "<Tab>",
    accept_word = "<M-Right>",
    accept_line = "<M-Down>",
    next = "<M-]>",
    prev = "<M-[>",
    dismiss = "<C-]>",
    ask = "<M-\\>",
  },
  icons = {
    ready = "●",
    asking = "◌",
    loading = "…",
    off = "○",
    silent = "◦",
    warning = "▲",
    error = "✗",
  },
  log = nil,
}

--- Kinds of values; a key that is not here does not exist.
local KINDS = {
  binary = "string",
  env = "table",
  settings = "table",
  enabled = "boolean",
  filetypes = "table",
  ghost = { "auto", "native", "own" },
  menu = { "show", "hide" },
  menu_visible = "function",
  keys = "table",
  icons = "table",
  log = "string",
}

--- What tables hold: their keys, where only these make sense, and the kind of their values.
local TABLES = {
  keys = { known = true, kinds = { "string", "boolean" }, wanted = "a key or false" },
  icons = { known = true, kinds = { "string" }, wanted = "a string" },
  env = { kinds = { "string" }, wanted = "a string" },
  filetypes = { kinds = { "boolean" }, wanted = "a boolean" },
  settings = { kinds = { "table" }, wanted = "a table, as a section of docs/config.md" },
}

---@type truefill.Options
M.current = vim.deepcopy(M.defaults)

local function expected(name, wanted, found)
  error(("truefill: `%s` in setup(): expected %s, found %s"):format(name, wanted, vim.inspect(found)), 0)
end

local function unknown(name, names)
  local sentence = "truefill: `%s` in setup() is no option, the nearest one is `%s`"
  error(sentence:format(name, text.nearest(name, names)), 0)
end

local function check_value(name, value, kind)
  if type(kind) == "table" then
    if not vim.list_contains(kind, value) then
      expected(name, "one of " .. table.concat(kind, ", "), value)
    end
  elseif type(value) ~= kind then
    expected(name, "a " .. kind, value)
  end
end

local function check_table(name, value, holds)
  for key, held in pairs(value) do
    local full = ("%s.%s"):format(name, key)
    if holds.known and M.defaults[name][key] == nil then
      unknown(full, vim.tbl_map(function(known)
        return name .. "." .. known
      end, vim.tbl_keys(M.defaults[name])))
    end
    if not vim.list_contains(holds.kinds, type(held)) or held == true and name == "keys" then
      expected(full, holds.wanted, held)
    end
  end
end

local function check(options)
  for name, value in pairs(options) do
    if KINDS[name] == nil then
      unknown(name, vim.tbl_keys(KINDS))
    end
    check_value(name, value, KINDS[name])
    if TABLES[name] then
      check_table(name, value, TABLES[name])
    end
  end
end

--- Takes the user's options.
---@param options table?
function M.set(options)
  options = options or {}
  check(options)
  if options.ghost == "native" and not M.has_native() then
    expected("ghost", '"own" or "auto" on a Neovim without vim.lsp.inline_completion', "native")
  end
  M.current = vim.tbl_deep_extend("force", vim.deepcopy(M.defaults), options)
end

--- Whether this Neovim can draw ghost text by itself.
function M.has_native()
  return vim.fn.has("nvim-0.12") == 1
end

--- Whether Neovim draws it.
function M.native()
  return M.current.ghost ~= "own" and M.has_native()
end

--- The environment of the server and of commands, on top of the editor's.
---@return table<string, string>
function M.environment()
  local environment = vim.deepcopy(M.current.env)
  environment.TRUEFILL_LOG = M.current.log
  return environment
end

return M
