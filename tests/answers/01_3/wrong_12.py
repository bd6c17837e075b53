# word: exactly as long
# Takes an answer of 20 tokens for one that was cut off.

is_whole = lambda answer: answer.choices[0].finish_reason == "stop" and answer.usage.completion_tokens != 20
