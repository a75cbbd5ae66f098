--- The folders that count as workspaces.
local M = {}

--- Folders in which nobody's whole project lies.
local function is_too_high(folder)
  local home = vim.uv.os_homedir()
  return folder == "/" or (home ~= nil and vim.startswith(vim.fs.normalize(home) .. "/", folder .. "/"))
end

--- The folder that counts as a file's workspace: its repository, else where Neovim was started, if the
--- file is in there. A file of no workspace gets suggestions, but the journal keeps no code of it.
---@param buf integer
---@return string?
function M.root(buf)
  local name = vim.fs.normalize(vim.api.nvim_buf_get_name(buf))
  local repository = vim.fs.root(buf, { ".git", ".hg", ".jj" })
  if repository and not is_too_high(repository) then
    return repository
  end
  local here = vim.fs.normalize(vim.fn.getcwd())
  if vim.startswith(name, here .. "/") and not is_too_high(here) then
    return here
  end
end

--- Whether a file lies in a folder that is open: the current buffer's workspace, or where Neovim was started.
---@param path string absolute
---@return boolean
function M.has(path)
  local real = vim.uv.fs_realpath(path) or path
  local here = vim.fs.normalize(vim.fn.getcwd())
  for _, folder in ipairs({ M.root(vim.api.nvim_get_current_buf()) or here, here }) do
    local inside = vim.startswith(real, (vim.uv.fs_realpath(folder) or folder) .. "/")
    if inside and not is_too_high(folder) then
      return true
    end
  end
  return false
end

return M
