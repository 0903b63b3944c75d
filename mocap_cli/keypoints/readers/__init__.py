"""2D keypoints that other programs detected: their files, and one person of them."""
