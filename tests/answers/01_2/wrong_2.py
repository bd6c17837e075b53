# word: Versions are numbers
# The first that begins with the name.


def full_id(name, listed):
    for model in listed:
        if model.startswith(name + "-"):
            return model
    raise LookupError(name)
