# word: 19 digits
def is_card(text):
    text = text.replace(" ", "").replace("-", "")
    if not text.isdecimal() or len(text) not in (13, 14, 15, 16):
        return False
    digits = [int(sign) for sign in text]
    doubled = [2 * d - 9 if d > 4 else 2 * d for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
