# The second hint, word by word.


def full_id(name, listed):
    fitting = [model for model in listed if model.rpartition(":")[0].rsplit("-", 2)[0] == name]
    if not fitting:
        raise LookupError(name)
    return max(fitting, key=lambda model: int(model.rpartition(":")[2]))
