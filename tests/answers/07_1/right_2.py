def mistakes(environ):
    mode = environ.get("MODE", "development")
    try:
        port = 1 <= int(environ.get("PORT", 1)) <= 65535
    except ValueError:
        port = False
    try:
        time = 0 < float(environ.get("TIMEOUT", 1)) < float("inf")
    except ValueError:
        time = False
    secret = mode != "production" or len(environ.get("SECRET", "")) > 31
    right = {"PORT": port, "TIMEOUT": time, "MODE": mode in ("development", "production"), "SECRET": secret}
    return [name for name in right if not right[name]]
