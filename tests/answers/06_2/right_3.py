def wait_until(probe, seconds, clock, sleep):
    # By calling itself, with the time that is left.
    begun = clock()
    try:
        ready = probe()
    except OSError:
        ready = False
    left = seconds - (clock() - begun)
    if ready or left <= 0:
        return bool(ready)
    sleep(0.5)
    return wait_until(probe, left - 0.5, clock, sleep)
