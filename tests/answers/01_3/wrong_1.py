# word: cut off at max_tokens

is_whole = lambda answer: answer.usage.completion_tokens < 20
