--- What the server wrote into its log, which Neovim keeps in the log of all language servers.
local M = {}

local MOST_BYTES = 1024 * 1024

local function path()
  local log = vim.lsp.log
  return log and log.get_filename and log.get_filename() or vim.lsp.get_log_path()
end

--- The file's last part: it is never cut and may be large.
local function tail(file)
  local handle = io.open(file, "rb")
  if not handle then
    return ""
  end
  local size = handle:seek("end")
  handle:seek("set", math.max(size - MOST_BYTES, 0))
  local text = handle:read("a")
  handle:close()
  return text or ""
end

--- A Lua string literal as text.
local function unquoted(literal)
  local escapes = { n = "\n", t = "\t", r = "", ["\n"] = "\n" }
  return (literal:gsub("\\(.)", function(escaped)
    return escapes[escaped] or escaped
  end))
end

--- Whether a logged line is the server's: it names the program, whose folder may be called like other
--- programs' folders, and which may be called otherwise than `truefill`.
local function is_of_server(quoted)
  local program = require("truefill.binary").find()
  return program ~= nil and unquoted(quoted) == program
end

--- What the plugin told the user, and the lines of our server below its file's name.
---@return string[]
function M.lines()
  local lines = { "# Messages", "" }
  vim.list_extend(lines, vim.split(table.concat(require("truefill.tell").history(), "\n"), "\n"))
  vim.list_extend(lines, { "", "# " .. path(), "" })
  local empty = #lines
  local pattern = '"rpc"\t"([^"]*)"\t"stderr"\t"(.*)"$'
  -- A literal's line breaks are escaped by a backslash at the end of the line.
  local text = tail(path()):gsub("\\\n", "\\n")
  for line in vim.gsplit(text, "\n", { plain = true }) do
    local program, quoted = line:match(pattern)
    if program and is_of_server(program) then
      vim.list_extend(lines, vim.split(vim.trim(unquoted(quoted)), "\n", { plain = true }))
    end
  end
  if #lines == empty then
    lines[empty + 1] = 'The server wrote nothing. `log = "truefill_server=debug"` in setup() makes it write more.'
  end
  return lines
end

return M
