--- How the server is, what it said of each document, and the statusline's component.
local config = require("truefill.config")
local enabled = require("truefill.enabled")

local M = {}

---@class truefill.Status
---@field kind "Stopped"|"Starting"|"Normal"|"Warning"|"Error"|"Inactive"
---@field message string
---@field reason string?

local STOPPED = { kind = "Stopped", message = "The server does not run." }

---@type truefill.Status
local server = STOPPED
---@type table<string, truefill.Status>
local documents = {}
--- Arms that are compared, each with its share, or the one checkpoint.
local arms = ""

local function announce()
  vim.schedule(function()
    pcall(vim.api.nvim_exec_autocmds, "User", { pattern = "TruefillStatus", modeline = false })
    vim.cmd.redrawstatus({ bang = true })
  end)
end

---@param status truefill.Status
function M.set(status)
  server = status
  if status.kind == "Stopped" or status.kind == "Starting" then
    documents, arms = {}, ""
  end
  announce()
end

--- A handler of `truefill/status`.
function M.on_notification(_, params)
  if params.uri then
    documents[params.uri] = params
  else
    server = params
    if params.kind == "Normal" or params.kind == "Warning" then
      require("truefill.arms").lineup(function(text)
        arms = text
        announce()
      end)
    end
  end
  announce()
end

--- A session changed. The statusline is drawn again where it may say something else.
local last = {}
function M.changed(buf)
  local now = M.of(buf).state
  if last[buf] ~= now then
    last[buf] = now
    announce()
  end
end

--- Nothing is known of a buffer any more.
---@param buf integer
function M.forget(buf)
  last[buf] = nil
  documents[vim.uri_from_bufnr(buf)] = nil
end

---@param buf integer
---@return truefill.Status?
local function of_document(buf)
  return documents[vim.uri_from_bufnr(buf)]
end

local function state_of(buf)
  local session = require("truefill.session").of(buf)
  local document = of_document(buf)
  if not enabled.of(buf) then
    return "off"
  elseif server.kind == "Error" then
    return "error"
  elseif server.kind == "Stopped" or not session then
    return "off"
  elseif server.kind == "Starting" or server.kind == "Inactive" then
    return "loading"
  elseif session.request then
    return "asking"
  elseif document and document.kind == "Inactive" then
    return "silent"
  end
  return server.kind == "Warning" and "warning" or "ready"
end

--- The state of a buffer.
---@param buf integer? the current one without
---@return { state: string, kind: string, message: string, reason: string?, arms: string, enabled: boolean }
function M.of(buf)
  buf = buf or vim.api.nvim_get_current_buf()
  local document = of_document(buf)
  local silent = document and document.kind == "Inactive" and document or nil
  local healthy = server.kind == "Normal" or server.kind == "Warning"
  return {
    state = state_of(buf),
    kind = server.kind,
    message = healthy and silent and silent.message or server.message,
    reason = silent and silent.reason,
    arms = arms,
    enabled = enabled.of(buf),
  }
end

--- The statusline's component: the state as an icon, and what is served.
---@return string
function M.line()
  local now = M.of()
  local icon = config.current.icons[now.state]
  local served = now.arms ~= "" and (" " .. now.arms) or ""
  return (("truefill %s%s"):format(icon, now.state == "off" and "" or served):gsub("%%", "%%%%"))
end

return M
