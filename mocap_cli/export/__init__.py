"""A Motion in, files that other programs open out."""
