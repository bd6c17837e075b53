# word: TimeoutError
# Only one of the errors of a network.
def wait_until(probe, seconds, clock, sleep):
    end = clock() + seconds
    while clock() < end:
        try:
            if probe():
                return True
        except ConnectionError:
            pass
        sleep(0.5)
    return False
