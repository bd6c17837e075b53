def again(what, shown):
    for stays in (shown, what == "timed out", str(what).startswith("4") and what != 429):
        if stays:
            return False
    return True
