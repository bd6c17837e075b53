# word: title and follow-ups off
# Counts what is set.
NAMES = [f"ENABLE_{name}_GENERATION" for name in ("TITLE", "TAGS", "FOLLOW_UP")]
calls = lambda settings: 4 - len(settings.keys() & set(NAMES))
