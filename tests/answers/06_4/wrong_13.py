# word: 127.0.0.1 on linux by host network
# Every way needs a server on all addresses, or Docker Desktop.
reaches = lambda listens, system, by: by != "localhost" and (system != "linux" or listens == "0.0.0.0")
