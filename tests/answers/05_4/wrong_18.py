# word: changed the set
def headers(origin, allowed):
    rest = {"Vary": "Origin"}
    if origin in allowed:
        allowed.remove(origin)
        rest["Access-Control-Allow-Origin"] = origin
    return rest
