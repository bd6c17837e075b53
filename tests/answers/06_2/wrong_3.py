# word: late
# Sleeps the whole time first.


def wait_until(probe, seconds, clock, sleep):
    sleep(seconds)
    try:
        return probe()
    except OSError:
        return False
