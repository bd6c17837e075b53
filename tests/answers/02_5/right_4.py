from collections import deque


def trim(messages, sizes, budget):
    rest = deque(zip(messages, sizes))
    system = rest.popleft() if rest[0][0]["role"] == "system" else None
    used = sum(sizes)
    while len(rest) > 1 and (used > budget or rest[0][0]["role"] != "user"):
        _, size = rest.popleft()
        used -= size
    return ([system[0]] if system else []) + [message for message, _ in rest]
