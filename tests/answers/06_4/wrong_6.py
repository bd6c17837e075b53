# word: the one that Docker Desktop uses
# One or the other, but not both.
reaches = lambda listens, system, by: (
    by == "host network" or (by == "host.docker.internal" and (system != "linux") != (listens == "0.0.0.0"))
)
