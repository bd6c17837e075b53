def wait_until(probe, seconds, clock, sleep):
    begun = clock()
    while clock() - begun < seconds:
        try:
            if probe():
                return True
        except OSError:
            pass
        sleep(0.25)
    return False
