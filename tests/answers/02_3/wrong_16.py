# word: expected ['one', 'two']
# Bytes, not text.


def read_events(blocks):
    lines = b"".join(blocks).partition(b"data: [DONE]\n")[0].split(b"\n")
    return [line[6:] for line in lines if line.startswith(b"data: ")]
