--- Taking suggestions, and turning them down.
local menu = require("truefill.menu")
local outcomes = require("truefill.outcomes")
local place = require("truefill.place")
local session = require("truefill.session")
local text = require("truefill.text")

local M = {}

--- The session of the current buffer, if ghost text is at the cursor; and what of ours it is. What is left
--- of what was accepted in parts counts before it is drawn.
---@return truefill.Session?
---@return truefill.Offer?
local function with_ghost()
  local held = session.here()
  local offer = held and session.acceptable(held)
  if held and (offer or session.visible(held)) then
    return held, offer
  end
end

--- Puts a part of an offer into the buffer, and tells the server.
---@return boolean
local function take_of(held, offer, extent)
  local client = session.client(held)
  local rest, typed = place.rest(held.buf, offer)
  if not client or not rest then
    return false
  end
  -- A key may be quicker than the look at the screen.
  session.saw(held, offer)
  local piece = text.piece(rest, extent)
  local is_whole = #piece == #rest
  place.insert(held.buf, piece, is_whole and offer.replaces or 0)
  if is_whole then
    outcomes.accepted(client, offer.item, held.buf)
    session.taken(held)
  else
    outcomes.partially_accepted(client, offer.item, typed .. piece)
    session.advanced(held)
  end
  return true
end

--- Accepts the ghost text at the cursor.
---@param extent "whole"|"word"|"line"
---@return boolean whether there was some
function M.take(extent)
  local held, offer = with_ghost()
  if held and offer then
    return take_of(held, offer, extent)
  end
  return held ~= nil and session.view().accept_other(held)
end

--- Accepts it by a key that a menu may want.
---@return boolean
function M.take_without_menu()
  return not menu.visible() and M.take("whole")
end

--- Turns the ghost text down.
---@return boolean whether there was some
function M.dismiss()
  local held, offer = with_ghost()
  if not held then
    return false
  end
  local client = session.client(held)
  if offer and client then
    session.saw(held, offer)
    outcomes.rejected(client, offer.id, "dismissed")
  end
  session.dismiss(held)
  return true
end

--- Shows another alternative.
---@param count integer
---@return boolean whether there is something to look for others of
function M.select(count)
  local held = with_ghost()
  if not held then
    return false
  end
  session.select(held, count)
  return true
end

--- Asks for suggestions here and now.
---@return boolean
function M.ask()
  local held = session.here()
  return held ~= nil and session.ask(held)
end

return M
