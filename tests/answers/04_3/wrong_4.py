# word: begins like ours

trusted = lambda host, origin, allowed: host in allowed and (origin is None or host in origin)
