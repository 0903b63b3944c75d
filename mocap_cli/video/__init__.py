"""Video files: frames with their times, shots, sound, and writing."""
