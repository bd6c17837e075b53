# word: nothing set

calls = lambda settings: 1 + sum(v.lower() == "true" for n, v in settings.items() if "GENERATION" in n)
