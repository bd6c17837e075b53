# word: Swedish
# Letters of English only.

import re


def mentions(text, phrase):
    return re.search(rf"(?<![a-z]){phrase}(?![a-z])", text.lower()) is not None
