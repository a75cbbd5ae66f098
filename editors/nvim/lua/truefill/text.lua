--- Texts and positions: what editors count differently.
local M = {}

--- What ends a word: the same marks as in VS Code, so that a word is the same in both editors.
local SEPARATOR = "[`~!@#$%%^&*()%-=+%[{%]}\\|;:'\",.<>/?%s]"

--- Length in UTF-16 units.
---@param text string
---@return integer
function M.utf16_length(text)
  return vim.str_utfindex(text, "utf-16")
end

--- A byte of a line as the protocol counts it.
---@param line string
---@param byte integer from 0
---@param encoding string
---@return integer
function M.character(line, byte, encoding)
  return vim.str_utfindex(line, encoding, math.min(byte, #line), false)
end

--- A protocol's character as a byte of a line; what lies beyond the line is its end.
---@param line string
---@param character integer from 0
---@param encoding string
---@return integer
function M.byte(line, character, encoding)
  return vim.str_byteindex(line, encoding, character, false)
end

--- Where the first word or number of a text begins and ends, both inclusive.
local function first_word(text)
  for at = 1, #text do
    local from, to = text:find("^%-?%d*%.%d[%w_]*", at)
    if from then
      return from, to
    end
    if not text:find("^" .. SEPARATOR, at) then
      local stop = text:find(SEPARATOR, at)
      return at, (stop or #text + 1) - 1
    end
  end
end

local function word(text)
  local from, to = first_word(text)
  local length = #text
  if from == 1 then
    length = to
  elseif from then
    length = from - 1
  end
  -- Space is accepted by itself where more than space comes before the word.
  local _, space = text:find("%s+")
  return text:sub(1, math.min(length, space or length))
end

local function line(text)
  local stop = text:find("\n", 1, true)
  return text:sub(1, stop or #text)
end

--- The beginning of a text that one acceptance takes.
---@param text string
---@param extent "whole"|"word"|"line"
---@return string
function M.piece(text, extent)
  if extent == "word" then
    return word(text)
  elseif extent == "line" then
    return line(text)
  end
  return text
end

local function wrap(line, width, indent)
  local lines, current = {}, line:match("^%s*")
  for space, word in line:gmatch("(%s*)(%S+)") do
    local longer = current:find("%S") and current .. space .. word or current .. word
    if current:find("%S") and vim.fn.strdisplaywidth(longer) > width then
      lines[#lines + 1] = current
      current = indent .. word
    else
      current = longer
    end
  end
  lines[#lines + 1] = current
  return lines
end

--- Lines as lines of at most so many cells, where words are not too long; what goes on is indented.
---@param lines string[]
---@param width integer
---@param indent string
---@return string[]
function M.wrapped(lines, width, indent)
  return vim.iter(lines):map(function(line)
    return wrap(line, width, indent)
  end):flatten():totable()
end

--- How many keys apart two names are.
local function distance(one, other)
  local row = {}
  for j = 0, #other do
    row[j] = j
  end
  for i = 1, #one do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #other do
      local cost = one:sub(i, i) == other:sub(j, j) and 0 or 1
      diagonal, row[j] = row[j], math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
    end
  end
  return row[#other]
end

--- The name that somebody who wrote `name` may have meant.
---@param name string
---@param names string[]
---@return string
function M.nearest(name, names)
  local sorted = vim.deepcopy(names)
  table.sort(sorted, function(one, other)
    local first, second = distance(name, one), distance(name, other)
    return first == second and one < other or first < second
  end)
  return sorted[1]
end

return M
