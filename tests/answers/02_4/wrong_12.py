# word: an empty chunk first it gave (0.5, 'An')
# The text as well.

first_token = lambda request, chunks: next(((at - request, text) for at, text in chunks if text), None)
