# word: value of Vary is not a text
headers = lambda origin, allowed: (
    {"Vary": ["Origin"]} | ({"Access-Control-Allow-Origin": origin} if origin in allowed else {})
)
