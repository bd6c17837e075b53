# word: name of a header is not a text
headers = lambda origin, allowed: (
    {b"Vary": b"Origin"} | ({b"Access-Control-Allow-Origin": origin} if origin in allowed else {})
)
