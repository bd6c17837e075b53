# word: on another port
# Any page of this machine.
import re


def headers(origin, allowed):
    ours = re.fullmatch(r"https?://(localhost|127\.0\.0\.1):[0-9]+", origin or "")
    return {"Vary": "Origin"} | ({"Access-Control-Allow-Origin": origin} if ours else {})
