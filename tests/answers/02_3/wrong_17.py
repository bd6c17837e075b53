# word: it gave None


def read_events(blocks):
    for line in b"".join(blocks).decode().split("\n"):
        if line == "data: [DONE]":
            break
        if line.startswith("data: "):
            print(line[6:])
