# word: 20 digits
# Forgets that a number can be too long.


def is_card(text):
    plain = text.replace(" ", "").replace("-", "")
    if not plain.isdecimal() or len(plain) < 13:
        return False
    digits = [int(sign) for sign in plain]
    return (sum(digits[-1::-2]) + sum(sum(divmod(2 * d, 10)) for d in digits[-2::-2])) % 10 == 0
