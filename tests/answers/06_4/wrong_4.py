# word: every address

reaches = lambda listens, system, by: by == "host.docker.internal" and system != "linux"
