# word: words after
# match looks at the beginning only.
import re


def is_card(text):
    found = re.match("[0-9]{13,19}(?![0-9])", re.sub("[ -]", "", text))
    if not found:
        return False
    digits = [int(sign) for sign in found[0]]
    return (sum(digits[-1::-2]) + sum(sum(divmod(2 * d, 10)) for d in digits[-2::-2])) % 10 == 0
