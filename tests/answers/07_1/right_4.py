from decimal import Decimal, InvalidOperation


def number(text):
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal(0)


def mistakes(environ):
    port, seconds = number(environ.get("PORT", "80")), number(environ.get("TIMEOUT", "9"))
    mode = environ.get("MODE", "development")
    wrong = ["PORT"] * (port != port.to_integral_value() or not 1 <= port <= 65535)
    wrong += ["TIMEOUT"] * (not seconds.is_finite() or seconds <= 0)
    wrong += ["MODE"] * (mode not in ("development", "production"))
    return wrong + ["SECRET"] * (mode == "production" and len(environ.get("SECRET", "")) < 32)
