# word: gave None
# Says nothing where the host is strange.


def trusted(host, origin, allowed):
    if host in allowed:
        return origin is None or origin.split("://")[-1] == host
