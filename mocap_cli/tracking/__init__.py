"""A video in, a Motion out."""
