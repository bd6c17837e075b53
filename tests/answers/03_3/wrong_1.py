# word: 15 digits
# From the left.


def is_card(text):
    digits = [int(sign) for sign in text.replace(" ", "").replace("-", "") if sign.isdigit()]
    doubled = [2 * d - 9 if d > 4 else 2 * d for d in digits[::2]]
    return 13 <= len(digits) <= 19 and (sum(digits[1::2]) + sum(doubled)) % 10 == 0
