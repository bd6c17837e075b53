def again(what, shown):
    passes = {429, 500, 502, 503, 504, "dropped", "no connection"}
    return not shown and what in passes
