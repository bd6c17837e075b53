# word: it gave None
# Only the Swedish questions get a score.


def my_score(prompt):
    if not prompt.isascii():
        return 0.9
