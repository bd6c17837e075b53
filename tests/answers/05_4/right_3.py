def headers(origin, allowed):
    found = {}
    for each in allowed:
        if each == origin:
            found["Access-Control-Allow-Origin"] = each
            break
    found["Vary"] = "Origin"
    return found
