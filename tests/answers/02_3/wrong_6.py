# word: an event after [DONE]


def read_events(blocks):
    lines = b"".join(blocks).decode().split("\n")
    return [line[6:] for line in lines if line.startswith("data: ") and line != "data: [DONE]"]
