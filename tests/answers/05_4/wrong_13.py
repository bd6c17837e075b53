# word: where ours has dots
# A dot in a pattern is any sign.
import re


def headers(origin, allowed):
    ours = any(re.fullmatch(each, origin or "") for each in allowed)
    return {"Vary": "Origin"} | ({"Access-Control-Allow-Origin": origin} if ours else {})
