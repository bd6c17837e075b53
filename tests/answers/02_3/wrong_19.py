# word: two equal events
# A set would have no order; a dictionary still has each only once.


def read_events(blocks):
    events = {}
    for line in b"".join(blocks).decode().split("\n"):
        if line == "data: [DONE]":
            break
        if line.startswith("data: "):
            events[line[6:]] = True
    return list(events)
