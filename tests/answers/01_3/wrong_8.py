# word: cut off at max_tokens
# There is a reason for every end, also for one that came too early.

is_whole = lambda answer: answer.choices[0].finish_reason is not None
