# word: a negative time-out
import math


def mistakes(environ):
    wrong = []
    try:
        if not (0 < int(environ.get("PORT", "80")) < 65536):
            wrong.append("PORT")
    except ValueError:
        wrong.append("PORT")
    try:
        if not (math.isfinite(float(environ.get("TIMEOUT", "1"))) and float(environ.get("TIMEOUT", "1")) != 0):
            wrong.append("TIMEOUT")
    except ValueError:
        wrong.append("TIMEOUT")
    if environ.get("MODE", "development") not in ("development", "production"):
        wrong.append("MODE")
    if environ.get("MODE") == "production" and len(environ.get("SECRET", "")) < 32:
        wrong.append("SECRET")
    return wrong
