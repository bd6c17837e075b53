# word: an empty chunk first it gave 0.25 s
# The first chunk, whether it has text or not.

first_token = lambda request, chunks: chunks[0][0] - request if any(text for _, text in chunks) else None
