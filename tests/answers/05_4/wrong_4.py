# word: Vary

headers = lambda origin, allowed: {"Access-Control-Allow-Origin": origin} if origin in allowed else {}
