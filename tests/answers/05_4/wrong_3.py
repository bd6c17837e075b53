# word: Vary

headers = lambda origin, allowed: (
    {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
    if any((origin or "").startswith(each) for each in allowed)
    else {}
)
