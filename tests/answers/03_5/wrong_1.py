# word: silence
# A time-out may pass too, but it has cost its time.

again = lambda what, shown: not shown and (what in ("dropped", "timed out", "no connection") or what >= 429)
