# word: it gave 0
# A number for no, and for yes.
reaches = lambda listens, system, by: int(
    by == "host network" or (by == "host.docker.internal" and (system != "linux" or listens == "0.0.0.0"))
)
