# word: comments and no [DONE]
# Only what is before [DONE], so nothing where there is none.


def read_events(blocks):
    text, done, _ = b"".join(blocks).decode().partition("data: [DONE]\n")
    return [line[6:] for line in text.split("\n") if line.startswith("data: ")] if done else []
