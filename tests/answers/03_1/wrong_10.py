# word: curly quotation marks
import string


def mentions(text, phrase):
    plain = text.lower()
    for sign in string.punctuation:
        plain = plain.replace(sign, " ")
    return f" {phrase.lower()} " in f" {' '.join(plain.split())} "
