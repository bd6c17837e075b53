# word: it gave None
# Nothing at the end.
def wait_until(probe, seconds, clock, sleep):
    end = clock() + seconds
    while clock() < end:
        try:
            if probe():
                return True
        except OSError:
            pass
        sleep(0.5)
