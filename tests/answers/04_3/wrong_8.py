# word: by its other name
# The example is hard-wired.

trusted = lambda host, origin, allowed: host == "127.0.0.1:8080" and origin in (None, "http://127.0.0.1:8080")
