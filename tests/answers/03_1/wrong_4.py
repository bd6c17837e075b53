# word: capital letter
# Forgets the case.

import re


def mentions(text, phrase):
    return re.search(rf"\b{phrase}\b", text) is not None
