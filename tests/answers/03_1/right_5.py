import re


class Finder:
    def __call__(self, text, phrase):
        pattern = re.compile(rf"\b{re.escape(phrase.lower())}\b")
        return bool(pattern.search(text.lower()))


mentions = Finder()
