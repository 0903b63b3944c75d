"""The scene without its subject, and how the camera moved while it was filmed."""
