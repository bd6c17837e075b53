# word: a page elsewhere
# or where it should be and.

trusted = lambda host, origin, allowed: host in allowed or origin is None
