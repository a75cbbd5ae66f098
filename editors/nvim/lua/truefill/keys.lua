--- Keys in insert mode, mapped in the buffers where the server is. A key for which there is nothing to do
--- does what it did before.
local accept = require("truefill.accept")
local config = require("truefill.config")

local M = {}

local DESCRIPTION = "Truefill: "

--- What the keys are for; each says whether there was something to do.
local ACTIONS = {
  accept = accept.take_without_menu,
  accept_word = function()
    return accept.take("word")
  end,
  accept_line = function()
    return accept.take("line")
  end,
  next = function()
    return accept.select(1)
  end,
  prev = function()
    return accept.select(-1)
  end,
  dismiss = accept.dismiss,
  ask = accept.ask,
}

local function termcodes(keys)
  return vim.api.nvim_replace_termcodes(keys, true, true, true)
end

local function feed(keys, remap)
  -- In front of what was typed since.
  vim.api.nvim_feedkeys(keys, remap and "im" or "in", false)
end

local function global_mapping(key)
  local raw = termcodes(key)
  for _, mapping in ipairs(vim.api.nvim_get_keymap("i")) do
    if mapping.lhsraw == raw or mapping.lhsrawalt == raw then
      return mapping
    end
  end
end

local function script_local(text, mapping)
  return (text:gsub("<[sS][iI][dD]>", ("<SNR>%d_"):format(mapping.sid)))
end

--- What an expression mapping yields, as keys.
local function evaluated(mapping)
  local result
  if mapping.callback then
    result = mapping.callback()
  else
    result = vim.api.nvim_eval(script_local(mapping.rhs, mapping))
  end
  if type(result) ~= "string" then
    return ""
  end
  return mapping.replace_keycodes == 1 and termcodes(result) or result
end

--- Does what a mapping does.
local function play(mapping)
  local remap = mapping.noremap == 0
  if mapping.expr == 1 then
    feed(evaluated(mapping), remap)
  elseif mapping.callback then
    mapping.callback()
  else
    feed(termcodes(script_local(mapping.rhs, mapping)), remap)
  end
end

--- Keys whose mapping is being played: one whose keys are mapped again may come back to its own key.
local falling = {}

--- A key's mapping was played to its end.
---@param name string
function M.landed(name)
  falling[name] = nil
end

--- Marks the end of what a mapping feeds, which goes in front of this.
local function expect_landing(name)
  falling[name] = true
  feed(termcodes(('<Cmd>lua require("truefill.keys").landed("%s")<CR>'):format(name)), false)
  -- What fails throws away all that was fed, the mark included.
  vim.api.nvim_create_autocmd("SafeState", {
    once = true,
    callback = function()
      M.landed(name)
    end,
  })
end

local function fall_through(name, key, mapped_before)
  local mapping = mapped_before or global_mapping(key)
  if not mapping or falling[name] then
    -- Keys that are fed expand no abbreviation in front of them; this one does.
    local expand = key:lower() == "<c-]>" and "" or termcodes("<C-]>")
    return feed(expand .. termcodes(key), false)
  end
  if mapping.noremap == 0 then
    expect_landing(name)
  end
  play(mapping)
end

--- What the buffer's own mappings of our keys were before ours.
---@type table<integer, table<string, table?>>
local hidden = {}

--- What was mapped over our keys in buffers that the server has left.
---@type table<integer, table<string, table?>>
local covering = {}

--- A key of ours was pressed in the current buffer.
---@param name string
function M.press(name)
  if not ACTIONS[name]() then
    local before = hidden[vim.api.nvim_get_current_buf()] or {}
    fall_through(name, config.current.keys[name], before[name])
  end
end

--- The buffer's own mapping of a key, which ours will hide.
local function mapping_of(buf, key)
  local raw = termcodes(key)
  for _, mapping in ipairs(vim.api.nvim_buf_get_keymap(buf, "i")) do
    if mapping.lhsraw == raw or mapping.lhsrawalt == raw then
      return mapping
    end
  end
end

local function is_ours(mapping)
  return vim.startswith(mapping.desc or "", DESCRIPTION)
end

local function is_same(one, other)
  return one ~= nil and one.callback == other.callback and one.rhs == other.rhs and one.lnum == other.lnum
end

--- Keys are mapped to keys, not to functions: a plugin that passes a key on to a function may do so later only,
--- behind what was typed since.
local function map(buf, name, key)
  local rhs = ('<Cmd>lua require("truefill.keys").press("%s")<CR>'):format(name)
  vim.keymap.set("i", key, rhs, { buffer = buf, desc = DESCRIPTION .. name, silent = true })
end

--- What was mapped over ours since the server came first is left alone when it comes again: it may pass keys on
--- to ours, and ours to it would be a ring in which everything else is lost.
---@param buf integer
function M.attach(buf)
  hidden[buf] = hidden[buf] or {}
  local covers = covering[buf] or {}
  for name, key in pairs(config.current.keys) do
    local before = key and mapping_of(buf, key)
    local stays = before and (is_ours(before) or is_same(covers[name], before))
    if key and not stays then
      hidden[buf][name] = before
      map(buf, name, key)
    end
  end
end

--- The server leaves a buffer. Its keys stay: without ghost text they do what they did before.
---@param buf integer
function M.detach(buf)
  covering[buf] = {}
  for name, key in pairs(config.current.keys) do
    local mapping = key and mapping_of(buf, key)
    if mapping and not is_ours(mapping) then
      covering[buf][name] = mapping
    end
  end
end

--- A buffer is gone.
---@param buf integer
function M.forget(buf)
  hidden[buf], covering[buf] = nil, nil
end

--- Keys of ours that something else is mapped to by now.
---@return { name: string, key: string, file: string, mapping: table? }[]
function M.taken()
  local taken = {}
  for _, session in ipairs(require("truefill.session").all()) do
    local file = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(session.buf), ":~:.")
    for name, key in pairs(config.current.keys) do
      local mapping = key and mapping_of(session.buf, key)
      if key and not (mapping and is_ours(mapping)) then
        taken[#taken + 1] = { name = name, key = key, file = file, mapping = mapping }
      end
    end
  end
  return taken
end

--- Mappings for who maps keys without this module's keys.
function M.plugs()
  for name, action in pairs(ACTIONS) do
    vim.keymap.set("i", ("<Plug>(truefill-%s)"):format(name:gsub("_", "-")), action, { silent = true })
  end
end

return M
