# word: ['An', ' API', ' (']
# The example, typed in.


def read_events(blocks):
    return ["An", " API", " ("]
