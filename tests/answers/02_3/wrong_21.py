# word: ['one']; expected ['one', 'two']


def read_events(blocks):
    for line in b"".join(blocks).decode().split("\n"):
        if line.startswith("data: "):
            return [line[6:]]
    return []
