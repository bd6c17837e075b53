# word: doubles above 9
# Forgets that 10 is above 9 too.


def is_card(text):
    plain = text.replace(" ", "").replace("-", "")
    digits = [int(sign) for sign in plain if sign.isdigit()]
    doubled = [2 * d - 9 if d > 5 else 2 * d for d in digits[-2::-2]]
    return plain.isdigit() and 13 <= len(plain) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
