# word: 127.0.0.1 on linux by host.docker.internal
# The comparison of the system turned round.
reaches = lambda listens, system, by: (
    by == "host network" or (by == "host.docker.internal" and (system == "linux" or listens == "0.0.0.0"))
)
