# word: sandbox
headers = lambda origin, allowed: (
    {"Vary": "Origin"} | ({"Access-Control-Allow-Origin": origin} if origin in allowed | {"null"} else {})
)
