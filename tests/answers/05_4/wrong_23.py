# word: no Vary with Origin
# The name of the wrong header.
headers = lambda origin, allowed: (
    {"Vary": "Access-Control-Allow-Origin"} | ({"Access-Control-Allow-Origin": origin} if origin in allowed else {})
)
