if vim.g.loaded_truefill then
  return
end
vim.g.loaded_truefill = true

vim.api.nvim_create_user_command("Truefill", function(arguments)
  require("truefill.command").run(arguments.fargs)
end, {
  nargs = "*",
  desc = "Truefill: status, statistics and switches",
  complete = function(lead, line)
    return require("truefill.command").complete(lead, line)
  end,
})
