import codecs


def read_events(blocks):
    decoder = codecs.getincrementaldecoder("utf-8")()
    rest, events = "", []
    for block in blocks:
        rest += decoder.decode(block)
        *lines, rest = rest.split("\n")
        for line in lines:
            if line == "data: [DONE]":
                return events
            if line.startswith("data: "):
                events.append(line[6:])
    return events
