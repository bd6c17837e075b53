# word: expected True
# The answer turned round.
def wait_until(probe, seconds, clock, sleep):
    end = clock() + seconds
    while clock() < end:
        try:
            if probe():
                return False
        except OSError:
            pass
        sleep(0.5)
    return True
