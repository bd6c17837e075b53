from collections import ChainMap, Counter


def calls(settings):
    names = {"ENABLE_TITLE_GENERATION", "ENABLE_TAGS_GENERATION", "ENABLE_FOLLOW_UP_GENERATION"}
    known = ChainMap(settings, dict.fromkeys(names, "true"))
    return 1 + Counter(known[name].casefold() for name in names)["true"]
