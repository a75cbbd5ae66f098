return require("truefill.server").config()
