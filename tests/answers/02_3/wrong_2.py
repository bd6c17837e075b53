# word: blocks of one byte


def read_events(blocks):
    events = []
    for block in blocks:
        for line in block.decode(errors="replace").split("\n"):
            if line == "data: [DONE]":
                return events
            if line.startswith("data: "):
                events.append(line[6:])
    return events
