# word: whose next one has an answer
# Any answer later on will do.


def visible(messages):
    kept = [pair for pair in messages if pair[0] != "note"]
    kinds = [pair[0] for pair in kept]
    last = len(kept) - 1
    return [p for i, p in enumerate(kept) if p[0] == "answer" or i == last or "answer" in kinds[i + 1 :]]
