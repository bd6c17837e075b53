# word: without a pause
# Without a pause.


def wait_until(probe, seconds, clock, sleep):
    end = clock() + seconds
    while clock() < end:
        try:
            if probe():
                return True
        except OSError:
            pass
    return False
