"""Frames in with their true times, frames out."""
