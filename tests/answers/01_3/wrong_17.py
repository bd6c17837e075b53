# word: a whole answer (
# Looks at an attribute that the answer itself does not have.

is_whole = lambda answer: getattr(answer, "finish_reason", None) == "stop"
