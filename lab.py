"""Set up this workbook and run it: `python lab.py`, or `python lab.py --help` for the other commands.

Needs Python 3.11, 3.12 or 3.13 and nothing else. This file is read by older Pythons too, down to 2.7, which would
otherwise end with a SyntaxError: the work is in lab_setup.py.
"""

import sys


def main():
    # type: () -> int
    """Hand over to lab_setup.py, or say which Python is needed; returns the exit status."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.stderr.write(
            "lab.py: This is Python %s, and the workbook needs 3.11, 3.12 or 3.13.\n"
            "Fix: install one of them from python.org, then: py -3.13 lab.py (Windows) or python3.13 lab.py "
            "(elsewhere).\n" % sys.version.split()[0]
        )
        return 1
    import lab_setup

    return lab_setup.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
