"""What must not be committed: a folder of one machine."""

from __future__ import annotations

import re

# A home, a temporary folder or a drive of one machine.
PLACES = re.compile(r"(/home/|/Users/|/root/|/tmp/|C:\\\\Users)[\w.-]+")
