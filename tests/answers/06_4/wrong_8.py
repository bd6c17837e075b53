# word: 127.0.0.1 on windows by localhost
# On Windows each way.
reaches = lambda listens, system, by: (
    by == "host network"
    or system == "windows"
    or (by == "host.docker.internal" and (system != "linux" or listens == "0.0.0.0"))
)
