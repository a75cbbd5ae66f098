--- What is on offer in a session, held against the text.
local place = require("truefill.place")

local M = {}

--- Drops what the text does not run through any more.
---@param session truefill.Session
function M.refit(session)
  local selected = session.offers[session.index]
  session.offers = vim.tbl_filter(function(offer)
    return place.rest(session.buf, offer) ~= nil
  end, session.offers)
  session.index = 1
  for index, offer in ipairs(session.offers) do
    if offer == selected then
      session.index = index
    end
  end
  session.hint = session.hint and #session.offers > 1
end

--- The offer that is selected, and what is left of it.
---@param session truefill.Session
---@return truefill.Offer? offer
---@return string? rest
function M.current(session)
  local offer = session.offers[session.index]
  local rest = offer and place.rest(session.buf, offer)
  if rest then
    return offer, rest
  end
end

--- The offers as items for the place where the cursor is, the selected one first.
---@param session truefill.Session
---@param client vim.lsp.Client?
function M.items(session, client)
  local items = {}
  for step = 0, #session.offers - 1 do
    local offer = session.offers[(session.index - 1 + step) % #session.offers + 1]
    items[#items + 1] = place.item(session.buf, offer, client)
  end
  return items
end

--- An answer's suggestion, or the one of which it is the rest: from where that began one can also delete
--- back.
---@param session truefill.Session
---@param offer truefill.Offer
---@return truefill.Offer
function M.origin(session, offer)
  for _, known in ipairs(session.offers) do
    if known.id == offer.id and place.rest(session.buf, known) == offer.text then
      return known
    end
  end
  return offer
end

--- Where in an answer's suggestions somebody is who was looking at another answer's.
---@param session truefill.Session
---@param found truefill.Offer[]
---@param before truefill.Offer?
---@return integer?
function M.index_of(session, found, before)
  local rest = before and place.rest(session.buf, before)
  for index, offer in ipairs(found) do
    if rest and (offer.id == before.id or place.rest(session.buf, offer) == rest) then
      return index
    end
  end
end

return M
