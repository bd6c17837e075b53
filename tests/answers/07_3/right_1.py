action = lambda alive, ready, t: ("serve" if ready else "hold") if alive else ("restart", "wait")[t < 60]
