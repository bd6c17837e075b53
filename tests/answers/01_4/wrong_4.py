# word: an exchange adds two
# Loses what was before.

next_messages = lambda h, q, r: [{"role": "user", "content": q}, {"role": "assistant", "content": r}]
