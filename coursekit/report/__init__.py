"""`python lab.py report`: notebooks executed with papermill, one process each, and pages that tell how it went.

job          what is to be run, and what came of it
run, child   one notebook, in a process of its own; collect reads what it left
sandbox, supervisor, accounts, reach   limits for what is not trusted
classroom    many of them: order, cap per endpoint, journal; matrix reads the list of a class
pages, index, compare   what a person reads; results.json is for programs
"""
