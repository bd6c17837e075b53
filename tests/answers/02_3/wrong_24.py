# word: It changed the list


def read_events(blocks):
    data = b""
    while blocks:
        data += blocks.pop(0)
    return [line[6:] for line in data.decode().partition("data: [DONE]\n")[0].split("\n") if line.startswith("data: ")]
