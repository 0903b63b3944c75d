"""Files on disk: whole or not at all, and read as data."""
