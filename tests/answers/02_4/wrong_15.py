# word: an empty chunk first it gave 1 s
# The place of the chunk, not its time.

first_token = lambda request, chunks: next((place for place, (_, text) in enumerate(chunks) if text), None)
