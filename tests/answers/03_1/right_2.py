import re


def mentions(text, phrase):
    words = re.findall(r"\w+", text.casefold())
    wanted = re.findall(r"\w+", phrase.casefold())
    return any(words[start : start + len(wanted)] == wanted for start in range(len(words) - len(wanted) + 1))
