# word: not among those of this app
# Our machine's own names are always good, it thinks.


def trusted(host, origin, allowed):
    ours = host in allowed or host == "localhost:8080"
    return ours and (origin is None or origin.split("://")[-1] == host)
