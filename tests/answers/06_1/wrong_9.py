# word: changed the settings
NAMES = [f"ENABLE_{name}_GENERATION" for name in ("TITLE", "TAGS", "FOLLOW_UP")]


def calls(settings):
    for name in NAMES:
        settings.setdefault(name, "true")
    return 1 + sum(settings[name].lower() != "false" for name in NAMES)
