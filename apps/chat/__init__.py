"""The chat application that notebook 04 builds, with what notebook 07 adds: `python -m apps.chat`."""
