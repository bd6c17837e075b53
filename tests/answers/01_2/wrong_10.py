# word: a name and an empty list
# A list with nothing in it has no last element to fall back on.


def full_id(name, listed):
    if not listed:
        return ""
    found = [m for m in listed if m.rpartition(":")[0].rsplit("-", 2)[0] == name]
    if not found:
        raise LookupError(name)
    return max(found, key=lambda m: int(m.rpartition(":")[2]))
