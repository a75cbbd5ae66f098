--- Truefill in Neovim. See `:help truefill`.
local M = {}

local set_up = false

local function highlights()
  local known = require("truefill.config").has_native()
  vim.api.nvim_set_hl(0, "TruefillGhost", { default = true, link = known and "ComplHint" or "NonText" })
  vim.api.nvim_set_hl(0, "TruefillGhostMore", { default = true, link = known and "ComplHintMore" or "MoreMsg" })
end

--- The help file's tags, where nobody made them and the folder can be written.
local function help_tags()
  local found = vim.api.nvim_get_runtime_file("doc/truefill.txt", false)[1]
  local folder = found and vim.fs.dirname(found)
  if folder and not vim.uv.fs_stat(folder .. "/tags") then
    pcall(vim.cmd.helptags, folder)
  end
end

local function on_attach(event)
  local client = vim.lsp.get_client_by_id(event.data.client_id)
  if not client or client.name ~= "truefill" then
    return
  end
  local session = require("truefill.session")
  session.attach(event.buf, client.id)
  M.watch(event.buf)
  require("truefill.keys").attach(event.buf)
  vim.schedule(require("truefill.consent").ask)
end

local function on_detach(event)
  local session = require("truefill.session")
  local held = session.of(event.buf)
  if held and held.client_id == event.data.client_id then
    session.detach(event.buf)
    require("truefill.keys").detach(event.buf)
    require("truefill.status").forget(event.buf)
    vim.api.nvim_clear_autocmds({ group = "truefill.buffers", buffer = event.buf })
  end
end

local function on_wipeout(event)
  require("truefill.keys").forget(event.buf)
  require("truefill.status").forget(event.buf)
end

--- Follows the cursor. Neovim's own ghost text follows it as well, and what it draws has to be looked at
--- behind it: these come last.
---@param buf integer
function M.watch(buf)
  local session = require("truefill.session")
  local group = vim.api.nvim_create_augroup("truefill.buffers", { clear = false })
  vim.api.nvim_clear_autocmds({ group = group, buffer = buf })
  vim.api.nvim_create_autocmd({ "InsertEnter", "CursorMovedI", "TextChangedI", "TextChangedP" }, {
    group = group,
    buffer = buf,
    callback = function()
      -- On entering, the mode is not yet the one that is entered.
      if vim.api.nvim_get_mode().mode:sub(1, 1) == "i" then
        session.moved(buf)
      else
        vim.schedule(function()
          session.moved(buf)
        end)
      end
    end,
  })
  vim.api.nvim_create_autocmd({ "InsertLeave", "BufLeave", "WinLeave" }, {
    group = group,
    buffer = buf,
    callback = function()
      local held = session.of(buf)
      if held then
        session.clear(held)
      end
    end,
  })
  -- Behind the change: the mode, and the cursor of a window that is entered, are the old ones yet.
  vim.api.nvim_create_autocmd({ "InsertChange", "BufEnter", "WinEnter" }, {
    group = group,
    buffer = buf,
    callback = vim.schedule_wrap(function()
      session.entered(buf)
    end),
  })
end

local function refresh()
  local session = require("truefill.session")
  local held = session.here()
  if held then
    session.view().refresh(held)
  end
end

local function autocmds()
  local group = vim.api.nvim_create_augroup("truefill", { clear = true })
  vim.api.nvim_create_autocmd("LspAttach", { group = group, callback = on_attach })
  vim.api.nvim_create_autocmd("LspDetach", { group = group, callback = on_detach })
  vim.api.nvim_create_autocmd("BufWipeout", { group = group, callback = on_wipeout })
  vim.api.nvim_create_autocmd("ColorScheme", { group = group, callback = highlights })
  require("truefill.menu").watch(group, refresh)
end

--- Starts it all; see `:help truefill-setup`.
---@param options table?
function M.setup(options)
  if vim.fn.has("nvim-0.11") == 0 then
    return vim.notify("Truefill needs Neovim 0.11 or newer", vim.log.levels.ERROR)
  end
  require("truefill.config").set(options)
  highlights()
  help_tags()
  autocmds()
  require("truefill.seen").start()
  require("truefill.keys").plugs()
  set_up = true
  vim.lsp.enable("truefill")
end

function M.is_set_up()
  return set_up
end

--- Accepts the ghost text at the cursor, whatever menu is open; says whether there was some.
---@param extent ("whole"|"word"|"line")?
---@return boolean
function M.accept(extent)
  return require("truefill.accept").take(extent or "whole")
end

--- The next alternative.
function M.next()
  return require("truefill.accept").select(1)
end

--- The alternative before.
function M.prev()
  return require("truefill.accept").select(-1)
end

--- Turns the ghost text down.
function M.dismiss()
  return require("truefill.accept").dismiss()
end

--- Asks for suggestions here and now.
function M.ask()
  return require("truefill.accept").ask()
end

--- Whether there is ghost text at the cursor.
function M.visible()
  local session = require("truefill.session")
  local held = session.here()
  return held ~= nil and session.visible(held)
end

--- Switches suggestions and says what holds then.
---@param scope ("global"|"filetype"|"buffer")?
---@return string
function M.toggle(scope)
  local session = require("truefill.session")
  local sentence = require("truefill.enabled").toggle(scope or "global", vim.api.nvim_get_current_buf())
  for _, held in ipairs(session.all()) do
    if not require("truefill.enabled").of(held.buf) then
      session.clear(held)
    end
  end
  vim.cmd.redrawstatus({ bang = true })
  return sentence
end

--- The state of a buffer.
---@param buf integer? the current one without
function M.state(buf)
  return require("truefill.status").of(buf)
end

--- The statusline's component.
---@return string
function M.statusline()
  return require("truefill.status").line()
end

return M
