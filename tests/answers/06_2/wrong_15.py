# word: without a pause
# Goes on without a pause where it is refused.
def wait_until(probe, seconds, clock, sleep):
    end = clock() + seconds
    while clock() < end:
        try:
            if probe():
                return True
            sleep(0.5)
        except OSError:
            continue
    return False
