# word: only the title off
# All or nothing.
NAMES = [f"ENABLE_{name}_GENERATION" for name in ("TITLE", "TAGS", "FOLLOW_UP")]
calls = lambda settings: 1 if any(settings.get(name, "").lower() == "false" for name in NAMES) else 4
