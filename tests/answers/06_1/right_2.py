def calls(settings):
    count = 1
    if settings.get("ENABLE_TITLE_GENERATION") not in ("false", "False"):
        count += 1
    if settings.get("ENABLE_TAGS_GENERATION") not in ("false", "False"):
        count += 1
    if settings.get("ENABLE_FOLLOW_UP_GENERATION") not in ("false", "False"):
        count += 1
    return count
