# word: a phrase in capital letters
import re


def mentions(text, phrase):
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text.lower()) is not None
