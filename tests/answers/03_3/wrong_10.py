# word: spaces and hyphens
# Takes out the spaces only.


def is_card(text):
    plain = text.replace(" ", "")
    if not plain.isdecimal() or not 13 <= len(plain) <= 19:
        return False
    digits = [int(sign) for sign in plain]
    return (sum(digits[-1::-2]) + sum(sum(divmod(2 * d, 10)) for d in digits[-2::-2])) % 10 == 0
