# word: only a piece of one of ours
# Looks for the host as a piece of text.


def trusted(host, origin, allowed):
    return any(host in name for name in allowed) and (origin is None or origin.split("://")[-1] == host)
