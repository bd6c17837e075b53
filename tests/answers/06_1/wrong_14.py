# word: one False with a capital letter
# A small letter only.
NAMES = [f"ENABLE_{name}_GENERATION" for name in ("TITLE", "TAGS", "FOLLOW_UP")]
calls = lambda settings: 1 + sum(settings.get(name) != "false" for name in NAMES)
