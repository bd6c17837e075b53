# word: it gave None
# Says nothing where it is not a card.


def is_card(text):
    plain = text.replace(" ", "").replace("-", "")
    if plain.isdecimal() and 13 <= len(plain) <= 19:
        digits = [int(sign) for sign in plain]
        return (sum(digits[-1::-2]) + sum(sum(divmod(2 * d, 10)) for d in digits[-2::-2])) % 10 == 0
