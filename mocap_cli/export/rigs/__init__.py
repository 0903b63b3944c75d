"""Rigs of other programs: their bones, and a motion on them."""
