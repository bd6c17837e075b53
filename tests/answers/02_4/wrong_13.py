# word: an empty chunk first it gave '0.50 s'
# A text with a unit.

first_token = lambda request, chunks: next((f"{at - request:.2f} s" for at, text in chunks if text), None)
