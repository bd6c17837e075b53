# word: another server on this machine
# Leaves the port out.
from urllib.parse import urlsplit


def trusted(host, origin, allowed):
    return host in allowed and (origin is None or urlsplit(origin).hostname == host.rpartition(":")[0])
