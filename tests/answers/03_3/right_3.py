def is_card(text):
    digits = []
    for sign in text:
        if sign in " -":
            continue
        if sign not in "0123456789":
            return False
        digits.append(int(sign))
    if len(digits) < 13 or len(digits) > 19:
        return False
    for place in range(len(digits) - 2, -1, -2):
        digits[place] = sum(divmod(2 * digits[place], 10))
    return not sum(digits) % 10
