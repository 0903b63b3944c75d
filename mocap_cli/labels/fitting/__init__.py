"""Pose heads fitted to labels on a frozen encoder, and what tracks with them."""
