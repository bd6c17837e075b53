# word: not ready in time
# Never gives up.


def wait_until(probe, seconds, clock, sleep):
    while True:
        try:
            if probe():
                return True
        except OSError:
            pass
        sleep(0.5)
