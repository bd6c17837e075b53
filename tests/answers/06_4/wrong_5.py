# word: every address includes
reaches = lambda listens, system, by: (
    (by == "host network" and listens == "127.0.0.1")
    or (by == "host.docker.internal" and (system != "linux" or listens == "0.0.0.0"))
)
