# word: another model
# The name in a pattern without re.escape: the dot stands for any sign.


def full_id(name, listed):
    import re

    found = [m for m in listed if re.fullmatch(name + r"-[a-z]+-[a-z]+:[0-9]+", m)]
    if not found:
        raise LookupError(name)
    return max(found, key=lambda m: int(m.rpartition(":")[2]))
