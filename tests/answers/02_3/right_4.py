import re


def read_events(blocks):
    text = b"".join(blocks).decode()
    return re.findall(r"^data: ([^\n]*)$", re.split(r"(?m)^data: \[DONE\]$", text)[0], re.MULTILINE)
