# Café
menu = ["coffee", "tea"]
