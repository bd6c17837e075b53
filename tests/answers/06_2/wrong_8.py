# word: when only 2 s are allowed
# Ten seconds, whatever was asked for.
def wait_until(probe, seconds, clock, sleep):
    end = clock() + 10
    while clock() < end:
        try:
            if probe():
                return True
        except OSError:
            pass
        sleep(0.5)
    return False
