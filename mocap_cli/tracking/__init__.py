"""From a video to a Motion: estimate, then place in the world."""
