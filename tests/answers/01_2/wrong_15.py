# word: it gave 'qwen2.5-0.5b-instruct-generic-cpu:4'
# Writes the id in small letters, in which it is not listed.


def full_id(name, listed):
    found = [m.lower() for m in listed if m.rpartition(":")[0].rsplit("-", 2)[0] == name]
    if not found:
        raise LookupError(name)
    return max(found, key=lambda m: int(m.rpartition(":")[2]))
