--- Whether a completion menu is open, whoever's it is. What a menu is open for belongs to the menu.
local config = require("truefill.config")

local M = {}

--- A plugin that is not loaded shows nothing, and is not loaded for the question.
local function says(module, names)
  local loaded = package.loaded[module]
  if type(loaded) ~= "table" then
    return false
  end
  for _, name in ipairs(names) do
    if type(loaded[name]) == "function" then
      local ok, visible = pcall(loaded[name])
      return ok and visible == true
    end
  end
  return false
end

---@return boolean
function M.visible()
  local ask = config.current.menu_visible
  return vim.fn.pumvisible() == 1
    or says("cmp", { "visible" })
    or says("blink.cmp", { "is_menu_visible", "is_visible" })
    or (ask ~= nil and ask() == true)
end

--- Whether ghost text makes way for a menu now.
---@return boolean
function M.hides()
  return config.current.menu == "hide" and M.visible()
end

--- Calls `refresh` when a menu comes or goes. Menus of plugins do so without a change of the text.
---@param group integer
---@param refresh fun()
function M.watch(group, refresh)
  vim.api.nvim_create_autocmd({ "CompleteChanged", "CompleteDone" }, {
    group = group,
    callback = vim.schedule_wrap(refresh),
  })
  vim.api.nvim_create_autocmd("User", {
    group = group,
    pattern = { "BlinkCmpMenuOpen", "BlinkCmpMenuClose", "CmpMenuOpened", "CmpMenuClosed" },
    callback = vim.schedule_wrap(refresh),
  })
  -- nvim-cmp has events of its own, and may be loaded at any time before it is used.
  vim.api.nvim_create_autocmd("InsertEnter", {
    group = group,
    callback = function()
      local cmp = package.loaded.cmp
      if type(cmp) == "table" and cmp.event and not M.of_cmp then
        M.of_cmp = true
        for _, event in ipairs({ "menu_opened", "menu_closed" }) do
          cmp.event:on(event, vim.schedule_wrap(refresh))
        end
      end
    end,
  })
end

return M
