# word: each probe raised ConnectionRefusedError
# Gives up where it is refused.
def wait_until(probe, seconds, clock, sleep):
    end = clock() + seconds
    while clock() < end:
        try:
            if probe():
                return True
        except OSError:
            return False
        sleep(0.5)
    return False
