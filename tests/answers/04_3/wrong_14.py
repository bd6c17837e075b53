# word: an app that has another host
# The list of allowed hosts is written down.

OURS = ("127.0.0.1:8080", "localhost:8080", "[::1]:8080")
trusted = lambda host, origin, allowed: host in OURS and (origin is None or origin.split("://")[-1] == host)
