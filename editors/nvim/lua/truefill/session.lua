--- What is on offer in a buffer, and the request for it.
---
--- One way for both kinds of ghost text: whenever the cursor moves in insert mode, what is offered is
--- held against the text, and the server is asked. A view draws what is offered.
local config = require("truefill.config")
local enabled = require("truefill.enabled")
local menu = require("truefill.menu")
local offers = require("truefill.offers")
local outcomes = require("truefill.outcomes")
local place = require("truefill.place")

local M = {}

local AUTOMATIC, INVOKED = 2, 1

---@class truefill.Session
---@field buf integer
---@field client_id integer
---@field at string? the place that was asked for last
---@field request truefill.Request? the request under way
---@field offers truefill.Offer[] what the text still runs through, the selected one by `index`
---@field index integer
---@field by_hand boolean whether the offers were asked for by hand
---@field hint boolean whether the user looks through alternatives
---@field waiting table[] requests of Neovim's own module that wait for the answer
---@field shown table<string, boolean> suggestions that were on the screen
---@field number integer of the answer that the offers are from
---@field delivered integer? the answer that Neovim's module got at last, if there was something in it
---@field held table? what Neovim's module holds of the buffer, as it was seen last
---@field going_on string? the place that a part was accepted up to

---@class truefill.Request
---@field id integer?
---@field at string
---@field by_hand boolean
---@field move integer? alternatives to move by when the answer is there

---@type table<integer, truefill.Session>
local sessions = {}

---@return truefill.Session?
function M.of(buf)
  return sessions[buf]
end

--- The session of the current buffer.
---@return truefill.Session?
function M.here()
  return sessions[vim.api.nvim_get_current_buf()]
end

---@param session truefill.Session
---@return vim.lsp.Client?
function M.client(session)
  local client = vim.lsp.get_client_by_id(session.client_id)
  return client and not client:is_stopped() and client or nil
end

--- The view is chosen once the options are known.
---@return truefill.View
function M.view()
  return require(config.native() and "truefill.view.native" or "truefill.view.own")
end

local function changed(session)
  require("truefill.status").changed(session.buf)
end

local function reply(session, waiting, items)
  -- Neovim draws what it gets, and to erase that comes a moment too late.
  if items and menu.hides() then
    items = {}
  end
  waiting.reply(items)
  if items then
    M.view().delivered(session, items)
  end
end

local function reply_waiting(session, items)
  local waiting = session.waiting
  session.waiting = {}
  for _, one in ipairs(waiting) do
    reply(session, one, items)
  end
end

local function cancel(session)
  local request, client = session.request, M.client(session)
  session.request = nil
  if request and request.id and client then
    client.rpc.forget(request.id)
  end
end

--- Takes over an answer. Who was looking at an alternative goes on looking at it.
local function adopt(session, found, request)
  local before = session.offers[session.index]
  local adopted = vim.tbl_map(function(offer)
    return offers.origin(session, offer)
  end, found)
  local index = offers.index_of(session, adopted, before)
  session.hint = request.move ~= nil and #adopted > 1
  if session.hint then
    index = ((index or 1) - 1 + request.move) % #adopted + 1
  end
  session.offers, session.index, session.by_hand = adopted, index or 1, request.by_hand
  session.number = session.number + 1
end

--- An answer without a suggestion. What is still typed through stays: it is as good as it was.
local function nothing(session, request)
  if request.by_hand and #session.offers == 0 then
    require("truefill.why").tell(session.buf)
  end
end

local function answered(session, request, err, result)
  if session.request ~= request or sessions[session.buf] ~= session then
    return
  end
  session.request = nil
  if request.at ~= place.of(session.buf) then
    return reply_waiting(session, nil)
  end
  offers.refit(session)
  local client = M.client(session)
  local found = not err and client and place.offers(session.buf, result, client) or {}
  if #found > 0 then
    adopt(session, found, request)
  else
    nothing(session, request)
  end
  M.view().show(session)
  reply_waiting(session, offers.items(session, M.client(session)))
  changed(session)
end

---@param session truefill.Session
---@param by_hand boolean
---@param move integer?
local function ask(session, by_hand, move)
  cancel(session)
  local client = M.client(session)
  if not client or not client.initialized then
    return
  end
  local request = { at = session.at, by_hand = by_hand, move = move }
  session.request = request
  local params = place.params(session.buf, client, by_hand and INVOKED or AUTOMATIC)
  request.id = client.rpc.ask(params, function(err, result)
    answered(session, request, err, result)
  end)
  changed(session)
end

local function drop(session)
  cancel(session)
  session.offers, session.index, session.hint, session.going_on = {}, 1, false, nil
  reply_waiting(session, {})
  changed(session)
end

--- Takes everything back.
---@param session truefill.Session
function M.clear(session)
  drop(session)
  session.at = nil
  M.view().hide(session)
end

--- Takes everything back until the cursor moves.
---@param session truefill.Session
function M.dismiss(session)
  drop(session)
  M.view().hide(session)
end

--- A part of what was offered is accepted. The rest can be taken by the next key, drawn or not.
---@param session truefill.Session
function M.advanced(session)
  M.view().advanced(session)
  M.moved(session.buf)
  session.going_on = session.at
end

--- Whether there is ghost text at the cursor that a key can be meant for, whoever's it is.
---@param session truefill.Session
---@return boolean
function M.visible(session)
  return place.of(session.buf) ~= nil and M.view().visible(session)
end

--- Whether the cursor is where a part was accepted up to.
local function goes_on(session)
  return session.going_on ~= nil and session.going_on == place.of(session.buf)
end

--- What can be accepted, or turned down, here: what is drawn, or what is left of what was accepted in parts.
---@param session truefill.Session
---@return truefill.Offer?
function M.acceptable(session)
  if goes_on(session) then
    return session.offers[session.index]
  end
  return M.visible(session) and M.view().drawn(session) or nil
end

--- All of what was offered is accepted.
---@param session truefill.Session
function M.taken(session)
  drop(session)
  M.view().taken(session)
end

--- Whether nobody's request is wanted now.
local function quiet(session)
  return not enabled.of(session.buf) or vim.fn.reg_executing() ~= ""
end

--- The cursor or the text is another one, or may be.
---@param buf integer
function M.moved(buf)
  local session = sessions[buf]
  if not session then
    return
  end
  local at = place.of(buf)
  if not at or quiet(session) then
    return M.clear(session)
  end
  local stayed = at == session.at
  if not stayed then
    session.at = at
    offers.refit(session)
  end
  M.view().update(session)
  if not stayed then
    ask(session, false)
  end
end

--- Another window or another mode, of which no move of the cursor may tell.
---@param buf integer
function M.entered(buf)
  local session = sessions[buf]
  if session and vim.api.nvim_buf_is_valid(buf) then
    M.moved(buf)
    M.view().asked(session)
  end
end

--- A request of Neovim's module: it gets what the plugin has or is about to get.
---@param buf integer
---@param waiting { reply: fun(items: table[]?) }
function M.joined(buf, waiting)
  local session = sessions[buf]
  if not session then
    return waiting.reply({})
  end
  if place.of(buf) ~= session.at then
    M.moved(buf)
  end
  if session.request then
    table.insert(session.waiting, waiting)
  else
    reply(session, waiting, offers.items(session, M.client(session)))
  end
end

--- Asks by hand.
---@param session truefill.Session
---@param move integer? alternatives to move by in the answer
---@return boolean asked
function M.ask(session, move)
  session.at = place.of(session.buf)
  if not session.at or not M.client(session) then
    return false
  end
  ask(session, true, move)
  M.view().asked(session)
  return true
end

--- Selects another alternative. There are some only where they were asked for by hand.
---@param session truefill.Session
---@param count integer
---@return boolean
function M.select(session, count)
  local is_drawn = M.view().visible(session)
  if not is_drawn or (#session.offers < 2 and not session.by_hand) then
    return M.ask(session, count)
  end
  session.index = (session.index - 1 + count) % math.max(#session.offers, 1) + 1
  session.hint = true
  M.view().select(session, count)
  return true
end

--- A suggestion is on the screen.
---@param session truefill.Session
---@param offer truefill.Offer
function M.saw(session, offer)
  local client = M.client(session)
  if session.shown[offer.id] or not client then
    return
  end
  session.shown[offer.id] = true
  outcomes.shown(client, offer.item)
end

---@param buf integer
---@param client_id integer
function M.attach(buf, client_id)
  sessions[buf] = {
    buf = buf,
    client_id = client_id,
    offers = {},
    index = 1,
    by_hand = false,
    hint = false,
    waiting = {},
    shown = {},
    number = 0,
  }
  M.view().attach(sessions[buf])
end

---@param buf integer
function M.detach(buf)
  local session = sessions[buf]
  if session then
    M.clear(session)
    M.view().detach(session)
    sessions[buf] = nil
  end
end

---@return truefill.Session[]
function M.all()
  return vim.tbl_values(sessions)
end

return M
