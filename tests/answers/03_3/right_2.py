import re

TWICE = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]


def is_card(text):
    digits = re.sub("[ -]", "", text)
    if re.fullmatch(r"\d{13,19}", digits) is None:
        return False
    total = sum(TWICE[int(d)] if i % 2 else int(d) for i, d in enumerate(digits[::-1]))
    return str(total).endswith("0")
