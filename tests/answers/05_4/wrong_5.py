# word: Vary

headers = lambda origin, allowed: {"Access-Control-Allow-Origin": origin, "Vary": "Origin"} if origin in allowed else {}
