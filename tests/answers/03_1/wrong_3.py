# word: phrase
# One word at a time.

import re


def mentions(text, phrase):
    return phrase in re.findall(r"\w+", text.lower())
