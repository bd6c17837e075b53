# word: since it slept first
def wait_until(probe, seconds, clock, sleep):
    end = clock() + seconds
    while clock() < end:
        sleep(0.5)
        try:
            if probe():
                return True
        except OSError:
            pass
    return False
