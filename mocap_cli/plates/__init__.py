"""The scene of a video without its subject."""
