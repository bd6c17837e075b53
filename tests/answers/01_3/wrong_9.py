# word: just after a full stop
# A full stop is enough for it.

is_whole = lambda answer: answer.choices[0].finish_reason == "stop" or answer.choices[0].message.content.endswith(".")
