"""The chat application that notebook 04 builds, alone: `python -m apps.chat`."""
