# word: text at once

first_token = lambda request, chunks: next((at - request for at, text in chunks if text), None) or None
