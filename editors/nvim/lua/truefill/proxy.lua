--- Stands between Neovim's language client and the server.
---
--- Neovim's own ghost text asks by itself, 200 ms after the last key and always as if nobody had asked by
--- hand; it lets an answer for an older text through and tells nobody what it shows. So its requests do
--- not go to the server: they join those that the plugin made for the same place, which were sent with
--- the key, can be cancelled, and name the document's version. Everything else passes.
local M = {}

local METHOD = "textDocument/inlineCompletion"
local CANCEL = "$/cancelRequest"

--- Ids of requests that never go out; the client counts its own from 1.
local FIRST_ID = 2 ^ 30

---@class truefill.Rpc : vim.lsp.rpc.PublicClient
---@field ask fun(params: table, callback: fun(err: table?, result: table?)): integer?
---@field forget fun(id: integer)
---@field was_told_to_end fun(): boolean

--- A request of Neovim's that waits for what the plugin gets.
local function join(state, hooks, params, callback, replied)
  state.last = state.last + 1
  local id = state.last
  local waiting = {}
  state.waiting[id] = waiting
  --- Answers with items; without any, as a cancelled request is answered: not at all.
  function waiting.reply(items)
    if not state.waiting[id] then
      return
    end
    state.waiting[id] = nil
    vim.schedule(function()
      if replied then
        replied(id)
      end
      if items then
        callback(nil, { items = items }, id)
      end
    end)
  end
  vim.schedule(function()
    if state.waiting[id] then
      hooks.joined(vim.uri_to_bufnr(params.textDocument.uri), waiting)
    end
  end)
  return true, id
end

--- `hooks.joined` gets a request that waits, `hooks.refused` the sentence by which the server refuses to
--- begin.
---@param rpc vim.lsp.rpc.PublicClient
---@param hooks { joined: fun(buf: integer, waiting: table), refused: fun(sentence: string) }
---@return truefill.Rpc
function M.wrap(rpc, hooks)
  local state = { last = FIRST_ID, waiting = {}, ends = false }
  local proxy = setmetatable({}, { __index = rpc })

  function proxy.request(method, params, callback, replied)
    if method == METHOD then
      return join(state, hooks, params, callback, replied)
    elseif method ~= "initialize" then
      state.ends = state.ends or method == "shutdown"
      return rpc.request(method, params, callback, replied)
    end
    -- The client has nothing but an assertion for a refusal.
    return rpc.request(method, params, function(err, ...)
      if err then
        hooks.refused(err.message or tostring(err))
        rpc.terminate()
      else
        callback(err, ...)
      end
    end, replied)
  end

  function proxy.notify(method, params)
    if method == CANCEL and state.waiting[params.id] then
      state.waiting[params.id].reply(nil)
      return true
    end
    return rpc.notify(method, params)
  end

  function proxy.terminate()
    state.ends = true
    return rpc.terminate()
  end

  --- Whether somebody stopped the client, at once or in order; a crash is told by nobody.
  function proxy.was_told_to_end()
    return state.ends
  end

  --- Not by the client's own function: Neovim's module cancels all requests of this kind that the
  --- client knows of whenever it hides something.
  function proxy.ask(params, callback)
    local sent, id = rpc.request(METHOD, params, callback)
    return sent and id or nil
  end

  function proxy.forget(id)
    rpc.notify(CANCEL, { id = id })
  end

  return proxy
end

return M
