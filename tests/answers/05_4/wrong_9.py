# word: a part of ours
headers = lambda origin, allowed: (
    {"Vary": "Origin"}
    | ({"Access-Control-Allow-Origin": origin} if any((origin or "-") in each for each in allowed) else {})
)
