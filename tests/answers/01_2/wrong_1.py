# word: Versions are numbers
# Versions compared as text.


def full_id(name, listed):
    found = [m for m in listed if m.rpartition(":")[0].rsplit("-", 2)[0] == name]
    if not found:
        raise LookupError(name)
    return max(found)
