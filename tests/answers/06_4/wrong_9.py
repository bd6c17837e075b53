# word: 127.0.0.1 on windows by host.docker.internal
# Forgets one system.
reaches = lambda listens, system, by: (
    by == "host network" or (by == "host.docker.internal" and (system == "macos" or listens == "0.0.0.0"))
)
