# word: 32 bytes
# Bytes, not characters.
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
        "MODE": mode in ("development", "production"),
        "SECRET": mode != "production" or len(secret.encode()) >= 32,
    }
    return [name for name in right if not right[name]]
