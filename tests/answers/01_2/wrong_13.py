# word: it gave 'phi-4-mini-instruct-generic-cpu'
# Loses the version: chat takes full ids only.


def full_id(name, listed):
    found = [m for m in listed if m.rpartition(":")[0].rsplit("-", 2)[0] == name]
    if not found:
        raise LookupError(name)
    return max(found, key=lambda m: int(m.rpartition(":")[2])).rpartition(":")[0]
