# word: version 9
# The lowest version instead of the highest.


def full_id(name, listed):
    found = [m for m in listed if m.rpartition(":")[0].rsplit("-", 2)[0] == name]
    if not found:
        raise LookupError(name)
    return min(found, key=lambda m: int(m.rpartition(":")[2]))
