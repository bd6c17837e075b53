# word: after 3 s
# Gives up at the first no.


def wait_until(probe, seconds, clock, sleep):
    try:
        return probe()
    except OSError:
        return False
