import re

pattern = re.compile("ENABLE_(TITLE|TAGS|FOLLOW_UP)_GENERATION")
calls = lambda settings: (
    4 - sum(1 for name in settings if pattern.fullmatch(name) and settings[name].upper() == "FALSE")
)
