# word: the end of a name
# The end of the name is enough for it.


def full_id(name, listed):
    found = [m for m in listed if m.rpartition(":")[0].rsplit("-", 2)[0].endswith(name)]
    if not found:
        raise LookupError(name)
    return max(found, key=lambda m: int(m.rpartition(":")[2]))
