# word: capital letter
# Large and small letters alike.
def mistakes(environ):
    port, mode = environ.get("PORT", "80"), environ.get("MODE", "development")
    secret = environ.get("SECRET", "")
    try:
        seconds = float(environ.get("TIMEOUT", "30"))
    except ValueError:
        seconds = -1
    right = {
        "PORT": port.isdecimal() and 0 < int(port) < 65536,
        "TIMEOUT": 0 < seconds < float("inf"),
        "MODE": mode.lower() in ("development", "production"),
        "SECRET": mode != "production" or len(secret) >= 32,
    }
    return [name for name in right if not right[name]]
