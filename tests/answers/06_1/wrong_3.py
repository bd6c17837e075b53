# word: other settings

calls = lambda settings: 4 - sum("GENERATION" in n and v.lower() == "false" for n, v in settings.items())
