# word: one chunk

first_token = lambda request, chunks: chunks[1][0] - request
