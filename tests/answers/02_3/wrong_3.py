# word: letters that are cut


def read_events(blocks):
    events = []
    for line in "".join(block.decode(errors="ignore") for block in blocks).split("\n"):
        if line == "data: [DONE]":
            break
        if line.startswith("data: "):
            events.append(line[6:])
    return events
