# word: 'phi'
# A name that is not listed gets the nearest one.


def full_id(name, listed):
    import difflib

    names = {m.rpartition(":")[0].rsplit("-", 2)[0] for m in listed}
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4) or [name]
    found = [m for m in listed if m.rpartition(":")[0].rsplit("-", 2)[0] == near[0]]
    if not found:
        raise LookupError(name)
    return max(found, key=lambda m: int(m.rpartition(":")[2]))
