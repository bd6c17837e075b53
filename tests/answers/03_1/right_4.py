def mentions(text, phrase):
    text, phrase = text.lower(), phrase.lower()
    start = text.find(phrase)
    while start != -1:
        end = start + len(phrase)
        if not text[:start][-1:].isalnum() and not text[end : end + 1].isalnum():
            return True
        start = text.find(phrase, start + 1)
    return False
