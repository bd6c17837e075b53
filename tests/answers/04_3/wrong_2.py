# word: stranger's name
# Never looks at the host.

trusted = lambda host, origin, allowed: origin is None or origin.split("//")[-1] in allowed
