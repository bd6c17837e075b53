# word: an empty Origin
# Not there and empty are one to it.
from urllib.parse import urlsplit

trusted = lambda host, origin, allowed: host in allowed and (not origin or urlsplit(origin).netloc == host)
