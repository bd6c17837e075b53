# word: full stop
# White space is not the only end of a word.

mentions = lambda text, phrase: f" {phrase} " in f" {text.lower()} "
