def full_id(name, listed):
    best, highest = None, -1
    for model in listed:
        *words, _, end = model.split("-")
        version = int(end.split(":")[1])
        if "-".join(words) == name and version > highest:
            best, highest = model, version
    if best is None:
        raise LookupError(f"{name} is not listed")
    return best
