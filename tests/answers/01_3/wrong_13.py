# word: returned 'no'
# A text, where True or False is asked for: "no" counts as true.

is_whole = lambda answer: "yes" if answer.choices[0].finish_reason == "stop" else "no"
