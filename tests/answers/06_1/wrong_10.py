# word: all three off
# A name without its second underscore.
NAMES = [f"ENABLE_{name}_GENERATION" for name in ("TITLE", "TAGS", "FOLLOWUP")]
calls = lambda settings: 1 + sum(settings.get(name, "true").lower() != "false" for name in NAMES)
