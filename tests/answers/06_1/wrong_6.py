# word: all three off
# Any text is true, also "false".
NAMES = [f"ENABLE_{name}_GENERATION" for name in ("TITLE", "TAGS", "FOLLOW_UP")]
calls = lambda settings: 1 + sum(bool(settings.get(name, True)) for name in NAMES)
