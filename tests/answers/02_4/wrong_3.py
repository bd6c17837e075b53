# word: empty chunk first

first_token = lambda request, chunks: next((at for at, text in chunks if text), None)
