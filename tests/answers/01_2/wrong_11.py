# word: another model
# Begins with the name is not the same name.


def full_id(name, listed):
    found = [m for m in listed if m.startswith(name)]
    if not found:
        raise LookupError(name)
    return max(found, key=lambda m: int(m.rpartition(":")[2]))
