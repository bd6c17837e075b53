# word: gave None
def calls(settings):
    count = 4
    for name in ("TITLE", "TAGS", "FOLLOW_UP"):
        count -= settings.get(f"ENABLE_{name}_GENERATION", "true").lower() == "false"
    print(count)
