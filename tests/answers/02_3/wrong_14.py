# word: spaces around a text


def read_events(blocks):
    events = []
    for line in b"".join(blocks).decode().split("\n"):
        line = line.strip()
        if line == "data: [DONE]":
            break
        if line.startswith("data:"):
            events.append(line[5:].strip())
    return events
