from collections import OrderedDict


def headers(origin, allowed):
    if origin is None or origin not in allowed:
        return OrderedDict(VARY="origin")
    return OrderedDict([("Vary", "origin"), ("Access-Control-Allow-Origin", origin)])
