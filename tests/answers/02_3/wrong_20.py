# word: lines of other kinds
# Whatever is before the colon.


def read_events(blocks):
    events = []
    for line in b"".join(blocks).decode().split("\n"):
        if line == "data: [DONE]":
            break
        if line and not line.startswith(":"):
            events.append(line.partition(": ")[2])
    return events
