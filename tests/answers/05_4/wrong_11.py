# word: a page whose name ends like ours
hosts = ("127.0.0.1:5173", "localhost:5173")
headers = lambda origin, allowed: (
    {"Vary": "Origin"} | ({"Access-Control-Allow-Origin": origin} if (origin or "").endswith(hosts) else {})
)
