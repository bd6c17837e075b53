# word: returned True

is_whole = lambda answer: answer.usage.completion_tokens < 20
