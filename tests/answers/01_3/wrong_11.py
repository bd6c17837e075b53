# word: without any text
# Wants some text too.

is_whole = lambda answer: answer.choices[0].finish_reason == "stop" and answer.choices[0].message.content != ""
