"""The camera: projection, and how it moves through a video."""
