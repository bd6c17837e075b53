# word: without a finish_reason
# Takes no reason for a good sign.

is_whole = lambda answer: (answer.choices[0].finish_reason or "stop") == "stop"
