"""Footage with known truth: rendered bodies moved by motion capture."""
