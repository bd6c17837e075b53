# The empty list raises IndexError, which is a LookupError.


def full_id(name, listed):
    def version(model):
        return int(model.split(":")[-1])

    def fits(model):
        return model.startswith(name + "-") and model[len(name) + 1 :].count("-") == 1

    return sorted(filter(fits, listed), key=version)[-1]
