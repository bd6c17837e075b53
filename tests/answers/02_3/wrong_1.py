# word: ends inside a letter


def read_events(blocks):
    text = "".join(block.decode() for block in blocks)
    return [line[6:] for line in text.split("\n") if line.startswith("data: ") and line != "data: [DONE]"]
