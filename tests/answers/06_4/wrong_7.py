# word: 0.0.0.0 on macos by localhost
# A way that reaches all addresses.
reaches = lambda listens, system, by: (
    by == "host network"
    or (system == "macos" and listens == "0.0.0.0")
    or (by == "host.docker.internal" and (system != "linux" or listens == "0.0.0.0"))
)
