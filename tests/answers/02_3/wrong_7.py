# word: "[DONE]" inside a text


def read_events(blocks):
    events = []
    for line in b"".join(blocks).decode().split("\n"):
        if "[DONE]" in line:
            break
        if line.startswith("data: "):
            events.append(line[6:])
    return events
