def wait_until(probe, seconds, clock, sleep):
    def says_yes():
        try:
            return probe() is True
        except OSError:
            return False

    end = clock() + seconds
    ready = says_yes()
    while not ready and clock() < end:
        sleep(min(0.5, max(0.01, end - clock())))
        ready = says_yes()
    return ready
