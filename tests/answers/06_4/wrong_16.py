# word: it gave '127.0.0.1'
# The address as a yes.
reaches = lambda listens, system, by: (
    True if by == "host network" else listens if by == "host.docker.internal" else False
)
