import itertools


def wait_until(probe, seconds, clock, sleep):
    begun = clock()
    for _ in itertools.takewhile(lambda _: clock() - begun <= seconds, itertools.count()):
        try:
            assert probe()
        except (OSError, AssertionError):
            sleep(0.5)
        else:
            return True
    return False
