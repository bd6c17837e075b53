# word: gave up after 15.5 s
# Pauses that double, also past the end.
def wait_until(probe, seconds, clock, sleep):
    end, pause = clock() + seconds, 0.5
    while clock() < end:
        try:
            if probe():
                return True
        except OSError:
            pass
        sleep(pause)
        pause *= 2
    return False
