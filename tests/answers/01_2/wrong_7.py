# word: version 9
# The one that stands last: versions are not in order in a list.


def full_id(name, listed):
    last = None
    for model in listed:
        if model.rpartition(":")[0].rsplit("-", 2)[0] == name:
            last = model
    if last is None:
        raise LookupError(name)
    return last
