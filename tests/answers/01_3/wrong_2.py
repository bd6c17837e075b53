# word: cut off at max_tokens

is_whole = lambda answer: bool(answer.choices[0].message.content)
