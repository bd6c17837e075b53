# word: looks at the clock all the time
# Waits by looking at the clock.
def wait_until(probe, seconds, clock, sleep):
    begun = clock()
    while True:
        try:
            if probe():
                return True
        except OSError:
            pass
        while clock() < begun + seconds:
            pass
        return False
