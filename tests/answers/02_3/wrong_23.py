# word: it raised JSONDecodeError

import json


def read_events(blocks):
    events = []
    for line in b"".join(blocks).decode().split("\n"):
        if line == "data: [DONE]":
            break
        if line.startswith("data: "):
            events.append(json.loads(line[6:])["choices"][0]["delta"].get("content"))
    return events
