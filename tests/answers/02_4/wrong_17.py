# word: no chunk at all it raised IndexError
# Does not think of an answer without chunks.

first_token = lambda request, chunks: (
    None if not chunks[0][1] and len(chunks) == 1 else next((at - request for at, text in chunks if text), None)
)
