# word: from a file
# "null" is taken for none.

trusted = lambda host, origin, allowed: (
    host in allowed and (origin in (None, "null") or origin.split("://")[-1] == host)
)
