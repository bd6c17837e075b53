# word: another of our names
# Any of our names.


def trusted(host, origin, allowed):
    return host in allowed and (origin is None or origin.split("//")[-1] in allowed)
