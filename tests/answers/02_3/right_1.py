def read_events(blocks):
    text = b"".join(blocks).decode("utf-8")
    found = []
    for line in text.split("\n"):
        if line.startswith("data: "):
            if line[6:] == "[DONE]":
                return found
            found.append(line[6:])
    return found
