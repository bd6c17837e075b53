# word: raised ValueError
# max() of nothing raises another exception than the one that is asked for.


def full_id(name, listed):
    found = [m for m in listed if m.rpartition(":")[0].rsplit("-", 2)[0] == name]
    return max(found, key=lambda m: int(m.rpartition(":")[2]))
