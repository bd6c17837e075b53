# word: an empty chunk first it gave -0.5 s
# Subtracts the wrong way round.

first_token = lambda request, chunks: next((request - at for at, text in chunks if text), None)
