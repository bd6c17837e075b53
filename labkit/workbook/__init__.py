"""Tools about the notebooks themselves; nothing here is taught."""
