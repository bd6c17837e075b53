from itertools import chain

next_messages = lambda history, *texts: list(
    chain(history, (dict(zip(("role", "content"), pair)) for pair in zip(("user", "assistant"), texts)))
)
