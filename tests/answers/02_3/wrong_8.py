# word: "[DONE]" inside a text
# Everything before the first [DONE], wherever it is.


def read_events(blocks):
    text = b"".join(blocks).decode().partition("[DONE]")[0]
    return [line[6:] for line in text.split("\n") if line.startswith("data: ") and line != "data: "]
