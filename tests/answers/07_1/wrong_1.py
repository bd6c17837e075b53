# word: port 0
# The first mistake only.


def mistakes(environ):
    for name in ("PORT", "TIMEOUT"):
        if not environ.get(name, "1").isdecimal():
            return [name]
    return []
