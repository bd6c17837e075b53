# word: raised LookupError, but phi-3.5-mini
# Knows one kind of build.


def full_id(name, listed):
    found = [m for m in listed if m.partition("-generic-")[0] == name]
    if not found:
        raise LookupError(name)
    return max(found, key=lambda m: int(m.rpartition(":")[2]))
