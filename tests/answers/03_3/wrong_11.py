# word: dots in between
import re


def is_card(text):
    plain = re.sub(r"\W", "", text)
    if not re.fullmatch("[0-9]{13,19}", plain):
        return False
    digits = [int(sign) for sign in plain]
    return (sum(digits[-1::-2]) + sum(sum(divmod(2 * d, 10)) for d in digits[-2::-2])) % 10 == 0
