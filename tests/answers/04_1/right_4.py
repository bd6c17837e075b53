from itertools import groupby


def visible(messages):
    kept = filter(lambda pair: pair[0] != "note", messages)
    runs = ((kind, list(run)) for kind, run in groupby(kept, key=lambda pair: pair[0]))
    return [pair for kind, run in runs for pair in (run[-1:] if kind == "user" else run)]
