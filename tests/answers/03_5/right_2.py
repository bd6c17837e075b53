def again(what, shown):
    if shown or what == "timed out":
        return False
    if isinstance(what, str):
        return True
    return what == 429 or 500 <= what <= 599
