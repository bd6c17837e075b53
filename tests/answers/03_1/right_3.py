def mentions(text, phrase):
    # Every sign that is no letter and no digit becomes a space.
    plain = "".join(sign if sign.isalnum() else " " for sign in text.lower())
    return f" {phrase.lower()} " in f" {' '.join(plain.split())} "
