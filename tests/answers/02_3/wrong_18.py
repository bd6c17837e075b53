# word: it gave 'one
# One text instead of a list.


def read_events(blocks):
    text = b"".join(blocks).decode().partition("data: [DONE]")[0]
    return "\n".join(line[6:] for line in text.split("\n") if line.startswith("data: "))
