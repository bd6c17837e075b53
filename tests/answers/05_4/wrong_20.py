# word: not a browser
# Without an Origin nothing at all, and a cache then gives that answer to a browser.
def headers(origin, allowed):
    if not origin:
        return {}
    return {"Vary": "Origin"} | ({"Access-Control-Allow-Origin": origin} if origin in allowed else {})
