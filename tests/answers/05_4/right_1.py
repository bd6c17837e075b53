headers = lambda origin, allowed: (
    {"vary": "Origin"} | ({"access-control-allow-origin": origin} if origin in allowed else {})
)
