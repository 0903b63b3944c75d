"""Turn an ordinary video of one person into motion-capture files."""

__version__ = "0.1.0"
