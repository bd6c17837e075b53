# word: it gave None
# Nothing where it is not reached.
reaches = lambda listens, system, by: (
    True
    if by == "host network" or (by == "host.docker.internal" and (system != "linux" or listens == "0.0.0.0"))
    else None
)
