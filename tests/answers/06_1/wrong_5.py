# word: one True with a capital letter
names = ["TITLE", "TAGS", "FOLLOW_UP"]
calls = lambda settings: 1 + sum(settings.get(f"ENABLE_{name}_GENERATION", "true") == "true" for name in names)
