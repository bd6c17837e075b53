def trusted(host, origin, allowed):
    if host not in allowed:
        return False
    if origin is None:
        return True
    _scheme, separator, rest = origin.partition("://")
    return bool(separator) and rest == host
