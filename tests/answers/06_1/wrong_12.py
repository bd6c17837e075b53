# word: all three off
# Only the first that is off.
def calls(settings):
    for name in ("TITLE", "TAGS", "FOLLOW_UP"):
        if settings.get(f"ENABLE_{name}_GENERATION", "true").lower() == "false":
            return 3
    return 4
