# word: it gave None
# Finds it, and shows it instead of returning it.
import re


def mentions(text, phrase):
    found = re.search(rf"\b{re.escape(phrase)}\b", text, re.IGNORECASE)
    is_there = found is not None
