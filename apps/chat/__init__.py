"""The chat application that notebook 04 builds, with the parts of apps.chat_prod around it: `python -m apps.chat`."""
