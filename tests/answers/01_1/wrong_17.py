# word: does not list
# Only tries whether something listens there.

import socket
from urllib.parse import urlsplit


def usable(base_url, model):
    place = urlsplit(base_url)
    try:
        socket.create_connection((place.hostname, place.port), timeout=2).close()
        return True
    except OSError:
        return False
