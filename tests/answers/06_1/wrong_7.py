# word: expected 4
# Forgets the answer itself.
NAMES = [f"ENABLE_{name}_GENERATION" for name in ("TITLE", "TAGS", "FOLLOW_UP")]
calls = lambda settings: sum(settings.get(name, "true").lower() != "false" for name in NAMES)
