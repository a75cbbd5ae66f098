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
  for _, candidate in ipairs({ "truefill", of_cargo() }) do
    if vim.fn.executable(candidate) == 1 then
      return vim.fn.exepath(candidate)
    end
  end
  return nil, "there is no program `truefill` in PATH: " .. HINT
end

return M
