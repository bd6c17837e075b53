# word: a content filter
# One of the wrong ends forgotten, with a list of right ones that is too long.

is_whole = lambda answer: answer.choices[0].finish_reason in ("stop", "content_filter")
