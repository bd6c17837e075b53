# word: cut off at max_tokens
# The comparison turned.

is_whole = lambda answer: answer.choices[0].finish_reason != "stop"
