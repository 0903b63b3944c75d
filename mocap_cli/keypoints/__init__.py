"""2D keypoints of one person: detection, tracking and fusion of the networks."""
