# word: another scheme
def headers(origin, allowed):
    ours = origin and origin.split("://")[-1] in {each.split("://")[-1] for each in allowed}
    return {"Vary": "Origin"} | ({"Access-Control-Allow-Origin": origin} if ours else {})
