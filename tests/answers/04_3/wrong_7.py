# word: in its path
trusted = lambda host, origin, allowed: host in allowed and (origin is None or origin.endswith("/" + host))
