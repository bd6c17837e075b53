# word: expected 10
# Half of the time.
def wait_until(probe, seconds, clock, sleep):
    end = clock() + seconds / 2
    while clock() < end:
        try:
            if probe():
                return True
        except OSError:
            pass
        sleep(0.5)
    return False
