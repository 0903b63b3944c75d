"""Converters of the paper's data sets to folders of clips and labels (docs/datasets.md)."""
