headers = lambda origin, allowed: (
    {"Vary": "Origin, Accept-Encoding"} | ({"Access-Control-Allow-Origin": origin} if origin in allowed else {})
)
