"""The person in the picture: finding, following, 2D keypoints."""
