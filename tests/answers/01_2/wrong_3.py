# word: LookupError
# A silent fallback.


def full_id(name, listed):
    found = [m for m in listed if m.rpartition(":")[0].rsplit("-", 2)[0] == name]
    return max(found or listed, key=lambda m: int(m.rpartition(":")[2]))
