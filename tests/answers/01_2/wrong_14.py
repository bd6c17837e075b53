# word: it gave 10
# The version instead of the id.


def full_id(name, listed):
    found = [m for m in listed if m.rpartition(":")[0].rsplit("-", 2)[0] == name]
    if not found:
        raise LookupError(name)
    return max(int(m.rpartition(":")[2]) for m in found)
