"""`python -m labkit` is what `python lab.py` hands its arguments to."""

import sys

from labkit.cli import main

status = main()
if "labkit.runtime" in sys.modules:  # it is slow to load, so not for this alone
    from labkit import runtime

    runtime.leave(status)
sys.exit(status)
