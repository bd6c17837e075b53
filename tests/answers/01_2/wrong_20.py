# word: it gave ['phi-4-mini-instruct-generic-cpu:10']
# A list with the id in it.


def full_id(name, listed):
    found = [m for m in listed if m.rpartition(":")[0].rsplit("-", 2)[0] == name]
    if not found:
        raise LookupError(name)
    return sorted(found, key=lambda m: int(m.rpartition(":")[2]))[-1:]
