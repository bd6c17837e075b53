# word: returned None
# Compares, and returns nothing.


def is_whole(answer):
    answer.choices[0].finish_reason == "stop"
