# word: an exchange adds two
# Forgets the reply.

next_messages = lambda h, q, r: [*h, {"role": "user", "content": q}]
