"""One module a file format: each writes a Motion to one file."""
