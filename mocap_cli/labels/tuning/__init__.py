"""Tuning of a 2D network to labelled frames of a user's clips."""
