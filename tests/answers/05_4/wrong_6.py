# word: elsewhere

headers = lambda origin, allowed: {"Access-Control-Allow-Origin": sorted(allowed)[0], "Vary": "Origin"}
