# word: version 9
# Only the last digit of the version.


def full_id(name, listed):
    found = [m for m in listed if m.rpartition(":")[0].rsplit("-", 2)[0] == name]
    if not found:
        raise LookupError(name)
    return max(found, key=lambda m: int(m[-1]))
