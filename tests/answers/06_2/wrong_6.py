# word: each probe takes 2 s
# Counts the pauses and never reads the clock.
def wait_until(probe, seconds, clock, sleep):
    for _ in range(int(seconds / 0.5)):
        try:
            if probe():
                return True
        except OSError:
            pass
        sleep(0.5)
    return False
