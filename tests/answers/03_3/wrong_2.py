# word: 15 digits
# Without the nine.


def is_card(text):
    digits = [int(sign) for sign in text if sign.isdigit()]
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(2 * d for d in digits[-2::-2])) % 10 == 0
