# word: Docker Desktop connects
# And where or was meant.
reaches = lambda listens, system, by: (
    by == "host network"
    or (by == "host.docker.internal" and system != "linux" and listens == "0.0.0.0")
    or (by == "host.docker.internal" and listens == "0.0.0.0")
)
