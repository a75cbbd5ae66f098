--- What is served: one checkpoint, or arms that are compared.
local program = require("truefill.program")

local M = {}

local function described(arm)
  if arm.shadow then
    return arm.name .. " shadow"
  end
  return ("%s %.0f%%"):format(arm.name, 100 * (tonumber(arm.share) or 0))
end

--- Calls back with the arms in short, or with nothing where nothing is compared.
---@param callback fun(text: string)
function M.lineup(callback)
  program.run({ "arms", "show", "--json" }, function(done)
    local ok, shown = pcall(vim.json.decode, done.stdout or "")
    local arms = ok and type(shown) == "table" and shown.arms or {}
    callback(table.concat(vim.tbl_map(described, arms), " | "))
  end)
end

return M
