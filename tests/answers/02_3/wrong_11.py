# word: it gave ['one', 'wo']


def read_events(blocks):
    events = []
    for line in b"".join(blocks).decode().split("\n"):
        if line == "data: [DONE]":
            break
        if line.startswith("data: "):
            events.append(line.lstrip("data: "))
    return events
