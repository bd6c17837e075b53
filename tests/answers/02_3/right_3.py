import itertools


def read_events(blocks):
    lines = (line.decode() for line in b"".join(blocks).split(b"\n"))
    before = itertools.takewhile(lambda line: line != "data: [DONE]", lines)
    return [line[len("data: ") :] for line in before if line[:6] == "data: "]
