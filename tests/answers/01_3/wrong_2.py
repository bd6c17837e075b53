# word: returned True

is_whole = lambda answer: bool(answer.choices[0].message.content)
