# word: an empty chunk first it gave 500 s
# Milliseconds.

first_token = lambda request, chunks: next((1000 * (at - request) for at, text in chunks if text), None)
