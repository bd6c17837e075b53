"""`python lab.py report`: runs notebooks with papermill, each in a process of its own, and writes pages about them.

command        the whole report: plan, run, write
plan           which jobs; class_list reads the list of a class
workers        many jobs at once, on this machine or a Dask cluster
run            one job: prepare its folder, run it under a supervisor, check what it left
supervisor     the process that keeps the limits; isolation gives a run its own user account, child executes the cells
pages          what people read; notebook_page is the page of one notebook; results.json is for programs
"""
