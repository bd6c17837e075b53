# word: a page whose name begins like ours
headers = lambda origin, allowed: (
    {"Vary": "Origin"} | ({"Access-Control-Allow-Origin": origin} if (origin or "").startswith(tuple(allowed)) else {})
)
