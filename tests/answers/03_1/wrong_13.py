# word: a piece of a number
# Digits are taken for signs.
import re


def mentions(text, phrase):
    return re.search(rf"(?<![^\W\d]){phrase}(?![^\W\d])", text, re.IGNORECASE) is not None
