# word: with another port
# The names of the hosts only.
from urllib.parse import urlsplit


def trusted(host, origin, allowed):
    names = {name.rpartition(":")[0] for name in allowed}
    return host.rpartition(":")[0] in names and (origin is None or urlsplit(origin).netloc == host)
