# word: which has colons
# Takes an address apart at its colons.


def trusted(host, origin, allowed):
    if origin is None or origin.count(":") < 2:
        return origin is None and host in allowed
    _scheme, name, port = origin.split(":")[:3]
    return host in allowed and f"{name.removeprefix('//')}:{port}" == host
