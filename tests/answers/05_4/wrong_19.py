# word: it gave None
def headers(origin, allowed):
    if origin in allowed:
        return {"Vary": "Origin", "Access-Control-Allow-Origin": origin}
    return None
