def calls(settings):
    names = ["TITLE", "TAGS", "FOLLOW_UP"]
    off = [name for name in names if settings.get(f"ENABLE_{name}_GENERATION", "").lower() == "false"]
    return 4 - len(off)
