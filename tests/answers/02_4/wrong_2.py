# word: empty chunks only

first_token = lambda request, chunks: next(at - request for at, text in chunks if text)
