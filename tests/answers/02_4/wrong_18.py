# word: an empty chunk first it gave 0.25 s
# The condition turned.

first_token = lambda request, chunks: next((at - request for at, text in chunks if not text), None)
