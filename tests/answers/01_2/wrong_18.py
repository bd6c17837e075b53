# word: raised LookupError, but phi-4-mini-instruct
# Cuts one word too many.


def full_id(name, listed):
    found = [m for m in listed if m.rpartition(":")[0].rsplit("-", 3)[0] == name]
    if not found:
        raise LookupError(name)
    return max(found, key=lambda m: int(m.rpartition(":")[2]))
