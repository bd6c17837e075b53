# word: a whole answer (
# Wants a full stop too.

is_whole = lambda answer: answer.choices[0].finish_reason == "stop" and answer.choices[0].message.content.endswith(".")
