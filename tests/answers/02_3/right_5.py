# A generator, as a stream would be.


def read_events(blocks):
    buffer = b""
    for block in blocks:
        buffer += block
        while b"\n" in buffer:
            line, _, buffer = buffer.partition(b"\n")
            if line == b"data: [DONE]":
                return
            if line.startswith(b"data: "):
                yield line[6:].decode()
