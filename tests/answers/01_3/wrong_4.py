# word: content filter
is_whole = lambda answer: answer.choices[0].finish_reason != "length"
