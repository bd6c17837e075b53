# word: our page
headers = lambda origin, allowed: (
    {"Vary": "Origin"} | ({"Access-Control-Allow-Origin": ", ".join(sorted(allowed))} if origin in allowed else {})
)
