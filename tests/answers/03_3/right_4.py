import numpy as np


def is_card(text):
    plain = text.translate({ord(" "): None, ord("-"): None})
    if not plain.isdecimal() or not 13 <= len(plain) <= 19:
        return False
    digits = np.array([int(sign) for sign in plain])[::-1]
    digits[1::2] *= 2
    return (digits - 9 * (digits > 9)).sum() % 10 == 0
