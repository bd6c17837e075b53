# word: later the word itself
# Only the first place is looked at.


def mentions(text, phrase):
    text, phrase = text.lower(), phrase.lower()
    start = text.find(phrase)
    end = start + len(phrase)
    return start >= 0 and not (text[:start][-1:].isalnum() or text[end : end + 1].isalnum())
