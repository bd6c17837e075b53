# word: OSError
# A refused connection gets through.


def wait_until(probe, seconds, clock, sleep):
    end = clock() + seconds
    while clock() < end:
        if probe():
            return True
        sleep(0.5)
    return False
