--- Finds out what really is on the screen: Neovim says of each window what it is about to draw.
local session = require("truefill.session")

local M = {}

local namespace = vim.api.nvim_create_namespace("truefill.seen")

--- Whether the place is still on the screen now that everything is drawn.
local function is_on_screen(window, ghost)
  if not vim.api.nvim_win_is_valid(window) then
    return false
  end
  return vim.fn.screenpos(window, ghost.row + 1, ghost.column + 1).row > 0
end

local function drawing(_, window, buf, top, bottom)
  local held = session.of(buf)
  if not held or #held.offers == 0 then
    return false
  end
  local offer, ghost = session.view().drawn(held)
  if offer and not held.shown[offer.id] and ghost.row >= top and ghost.row <= bottom then
    vim.schedule(function()
      if is_on_screen(window, ghost) then
        session.saw(held, offer)
      end
    end)
  end
  return false
end

function M.start()
  vim.api.nvim_set_decoration_provider(namespace, { on_win = drawing })
end

return M
