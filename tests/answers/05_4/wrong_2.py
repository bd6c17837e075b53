# word: elsewhere

headers = lambda origin, allowed: {"Access-Control-Allow-Origin": origin or "", "Vary": "Origin"}
