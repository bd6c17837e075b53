# word: a whole answer (
# No such value: it is written in small letters.

is_whole = lambda answer: answer.choices[0].finish_reason == "STOP"
