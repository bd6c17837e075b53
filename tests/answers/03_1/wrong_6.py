# word: the first word of a text
# A space on each side, but not at the ends of the text.
import re

mentions = lambda text, phrase: f" {phrase.lower()} " in re.sub(r"\W+", " ", text.lower())
