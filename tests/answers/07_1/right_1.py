import math
import re


def mistakes(environ):
    def finite(text):
        try:
            return math.isfinite(float(text)) and float(text) > 0
        except ValueError:
            return False

    rules = {
        "PORT": lambda text: re.fullmatch("[0-9]{1,5}", text) and 1 <= int(text) <= 65535,
        "TIMEOUT": finite,
        "MODE": lambda text: text in {"production", "development"},
        "SECRET": lambda text: environ.get("MODE") != "production" or len(text) >= 32,
    }
    found = [name for name, rule in rules.items() if name in environ and not rule(environ[name])]
    if environ.get("MODE") == "production" and "SECRET" not in environ:
        found.append("SECRET")
    return found
