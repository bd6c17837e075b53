# word: comments and no [DONE]


def read_events(blocks):
    text = b"".join(blocks).decode().partition("data: [DONE]")[0]
    return [part.split("\n")[0] for part in text.split("data: ")[1:]]
