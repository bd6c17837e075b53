# word: everybody

headers = lambda origin, allowed: {"Access-Control-Allow-Origin": "*", "Vary": "Origin"}
