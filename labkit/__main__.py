"""`python -m labkit` is what `python lab.py` hands its arguments to."""

import sys

from labkit.cli import main

sys.exit(main())
