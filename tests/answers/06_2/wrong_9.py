# word: ready at once
# The clock does not begin at 0.
def wait_until(probe, seconds, clock, sleep):
    end = seconds
    while clock() < end:
        try:
            if probe():
                return True
        except OSError:
            pass
        sleep(0.5)
    return False
