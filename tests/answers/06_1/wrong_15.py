# word: only the title off
# The title counts twice, and the tags never.
NAMES = [f"ENABLE_{name}_GENERATION" for name in ("TITLE", "TITLE", "FOLLOW_UP")]
calls = lambda settings: 1 + sum(settings.get(name, "true").lower() != "false" for name in NAMES)
