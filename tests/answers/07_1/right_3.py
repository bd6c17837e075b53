import contextlib


def mistakes(environ):
    wrong = ["PORT", "TIMEOUT", "MODE", "SECRET"]
    with contextlib.suppress(ValueError):
        if int(environ.get("PORT", "80")) in range(1, 65536):
            wrong.remove("PORT")
    with contextlib.suppress(ValueError):
        if 0 < float(environ.get("TIMEOUT", "9")) <= 1e300:
            wrong.remove("TIMEOUT")
    if environ.get("MODE", "development") in {"development", "production"}:
        wrong.remove("MODE")
    if environ.get("MODE") != "production" or len(environ.get("SECRET", "")) >= 32:
        wrong.remove("SECRET")
    return wrong
