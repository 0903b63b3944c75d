"""Rendered footage with known truth: bodies, motion capture, scenes, cameras."""
