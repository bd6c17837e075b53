# word: bridge, not the loopback

reaches = lambda listens, system, by: by == "host.docker.internal"
