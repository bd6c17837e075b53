# word: without a pause
# Hardly a pause.
def wait_until(probe, seconds, clock, sleep):
    end = clock() + seconds
    while clock() < end:
        try:
            if probe():
                return True
        except OSError:
            pass
        sleep(0.001)
    return False
