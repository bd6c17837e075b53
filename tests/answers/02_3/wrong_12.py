# word: comments and no [DONE]


def read_events(blocks):
    events = []
    for line in b"".join(blocks).decode().split("\n"):
        if line == "data: [DONE]":
            break
        if "data: " in line:
            events.append(line.split("data: ", 1)[1])
    return events
