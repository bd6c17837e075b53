# word: other name

trusted = lambda host, origin, allowed: origin is None or origin.startswith("http://127.0.0.1:8080")
