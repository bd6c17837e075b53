# word: Sleep less
# A whole second.
def wait_until(probe, seconds, clock, sleep):
    end = clock() + seconds
    while clock() < end:
        try:
            if probe():
                return True
        except OSError:
            pass
        sleep(1)
    return False
