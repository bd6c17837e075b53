# word: a line separator inside a text


def read_events(blocks):
    events = []
    for line in b"".join(blocks).decode().splitlines():
        if line == "data: [DONE]":
            break
        if line.startswith("data: "):
            events.append(line[6:])
    return events
