"""`python -m coursekit` is what `python lab.py` hands its arguments to."""

import sys

from coursekit.cli import main

status = main()
if "foundry_local_sdk" in sys.modules:  # a runtime was here; for other commands importing it takes too long
    from labkit import foundry

    foundry.leave(status)
sys.exit(status)
