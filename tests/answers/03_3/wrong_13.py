# word: words before
# $ is the end; the beginning is open.
import re


def is_card(text):
    found = re.search("(?<![0-9])[0-9]{13,19}$", re.sub("[ -]", "", text))
    if not found:
        return False
    digits = [int(sign) for sign in found[0]]
    return (sum(digits[-1::-2]) + sum(sum(divmod(2 * d, 10)) for d in digits[-2::-2])) % 10 == 0
