# word: begins with 0
# As one number, which has no leading zeros.


def is_card(text):
    plain = text.replace(" ", "").replace("-", "")
    if not plain.isdecimal():
        return False
    number, count, total = int(plain), 0, 0
    while number:
        number, digit = divmod(number, 10)
        total += sum(divmod(digit * (1 + count % 2), 10))
        count += 1
    return 13 <= count <= 19 and total % 10 == 0
