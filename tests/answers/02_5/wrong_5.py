# word: is a long one
# Every message counts 5 tokens, a system message 10.
def trim(messages, sizes, budget):
    head = [m for m in messages if m["role"] == "system"]
    rest = messages[len(head) :]
    while len(rest) > 1 and (10 * len(head) + 5 * len(rest) > budget or rest[0]["role"] != "user"):
        rest = rest[1:]
    return head + rest
