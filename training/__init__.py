"""Recipes that make the bundled weights and the examples; not part of the installed package."""
