# word: a colon and no space
import string


def mentions(text, phrase):
    words = " ".join(word.strip(string.punctuation + "“”") for word in text.lower().split())
    return f" {phrase.lower()} " in f" {words} "
