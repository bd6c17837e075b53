# word: our page, where nobody is allowed
# An empty set taken for "no limit".
headers = lambda origin, allowed: (
    {"Vary": "Origin"} | ({"Access-Control-Allow-Origin": origin} if not allowed or origin in allowed else {})
)
