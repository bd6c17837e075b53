# word: by its other name
# Only one of the allowed origins.
headers = lambda origin, allowed: (
    {"Vary": "Origin"} | ({"Access-Control-Allow-Origin": origin} if origin == min(allowed, default="") else {})
)
