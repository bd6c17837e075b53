# word: container itself
# As a program of the host would.
reaches = lambda listens, system, by: by == "localhost" or by == "host network"
