# word: the page of another application
# The origins of this application, written into the code.
OURS = ("http://127.0.0.1:5173", "http://localhost:5173")
headers = lambda origin, allowed: (
    {"Vary": "Origin"} | ({"Access-Control-Allow-Origin": origin} if origin in OURS else {})
)
