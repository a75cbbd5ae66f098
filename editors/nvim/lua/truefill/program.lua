--- Runs commands of the program, beside the server.
local binary = require("truefill.binary")
local config = require("truefill.config")
local tell = require("truefill.tell")

local M = {}

--- Hands on the whole lines of a stream, and keeps it all.
local function line_reader(kept, on_line)
  local left = ""
  return function(_, chunk)
    kept[#kept + 1] = chunk
    left = left .. (chunk or "\n")
    for line in left:gmatch("([^\r\n]+)[\r\n]") do
      vim.schedule(function()
        on_line(line)
      end)
    end
    left = left:match("[^\r\n]*$")
  end
end

--- Runs `truefill` with arguments; the result comes later.
---@param arguments string[]
---@param callback fun(done: vim.SystemCompleted)
---@param on_stderr fun(line: string)? gets what is written to stderr, line by line
function M.run(arguments, callback, on_stderr)
  local path, problem = binary.find()
  if not path then
    return tell.user(problem --[[@as string]], vim.log.levels.ERROR)
  end
  local kept = {}
  local options = {
    text = true,
    env = config.environment(),
    stderr = on_stderr and line_reader(kept, on_stderr) or nil,
  }
  vim.system(vim.list_extend({ path }, arguments), options, vim.schedule_wrap(function(done)
    done.stderr = done.stderr or table.concat(kept)
    callback(done)
  end))
end

--- The lines of a result: what it printed, and what went wrong.
---@param done vim.SystemCompleted
---@return string[]
function M.lines(done)
  local text, errors = vim.trim(done.stdout or ""), vim.trim(done.stderr or "")
  if text == "" then
    text = errors
  elseif done.code ~= 0 and errors ~= "" then
    text = text .. "\n\n" .. errors
  end
  return vim.split(text, "\n", { plain = true })
end

return M
