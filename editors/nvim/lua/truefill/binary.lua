--- Finds the program `truefill`.
local config = require("truefill.config")

local M = {}

local HINT = "build it by `cargo install --path server` in Truefill's sources, or name it: "
  .. 'require("truefill").setup({ binary = "/path/of/truefill" })'

--- Where `cargo install` puts it, which is not in everybody's PATH.
local function of_cargo()
  local home = vim.env.CARGO_HOME or (vim.uv.os_homedir() or "") .. "/.cargo"
  return home .. "/bin/truefill"
end

--- In the absolute folders of PATH: what a relative one names hangs on where Neovim was started.
local function in_path()
  local windows = vim.fn.has("win32") == 1
  local folders = vim.split(vim.env.PATH or "", windows and ";" or ":", { plain = true, trimempty = true })
  return vim.iter(folders):filter(function(folder)
    return vim.startswith(folder, "/") or folder:match("^%a:[/\\]") ~= nil
  end):map(function(folder)
    return folder .. (windows and "/truefill.exe" or "/truefill")
  end):totable()
end

--- Its path; without it, why not and what to do.
---@return string? path
---@return string? problem
function M.find()
  local named = config.current.binary
  if named then
    local path = vim.fs.normalize(named)
    if vim.fn.executable(path) == 1 then
      return vim.fn.exepath(path)
    end
    return nil, ("`binary` in setup() is `%s`, expected a program there: %s"):format(named, HINT)
  end
  local left_out
  for _, candidate in ipairs(vim.list_extend(in_path(), { of_cargo() })) do
    if vim.fn.executable(candidate) == 1 then
      if not require("truefill.workspace").has(candidate) then
        return vim.fn.exepath(candidate)
      end
      left_out = left_out or candidate
    end
  end
  if left_out then
    return nil, ("`%s` lies in the folder that is open and is not run until you name it, since a repository could "
      .. "bring one: %s"):format(left_out, HINT)
  end
  return nil, "there is no program `truefill` in PATH: " .. HINT
end

return M
