import re


def trusted(host, origin, allowed):
    ours = any(host == name for name in allowed)
    same = origin is None or re.fullmatch(r"https?://" + re.escape(host), origin) is not None
    return ours and same
