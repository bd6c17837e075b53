# word: 37.5 ms
# Rounds to hundredths of a second.

first_token = lambda request, chunks: next((round(at - request, 2) for at, text in chunks if text), None)
