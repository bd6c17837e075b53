trusted = lambda host, origin, allowed: host in allowed and origin in (None, "http://" + host, "https://" + host)
