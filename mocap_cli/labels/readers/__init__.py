"""Readers of label files, one module for each family of formats."""
