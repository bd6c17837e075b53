# word: nan
# nan is not above 0, and not below it either.


def mistakes(environ):
    wrong = []
    if not (environ.get("PORT", "80").isdecimal() and 0 < int(environ.get("PORT", "80")) < 65536):
        wrong.append("PORT")
    try:
        if float(environ.get("TIMEOUT", "1")) <= 0:
            wrong.append("TIMEOUT")
    except ValueError:
        wrong.append("TIMEOUT")
    if environ.get("MODE", "development") not in ("development", "production"):
        wrong.append("MODE")
    if environ.get("MODE") == "production" and len(environ.get("SECRET", "")) < 32:
        wrong.append("SECRET")
    return wrong
