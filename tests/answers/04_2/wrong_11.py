# word: expected two things
# The names only.

next_up = lambda waiting, running, width: waiting[: max(0, width - running)]
