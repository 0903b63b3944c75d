"""From 2D keypoints over time to 3D joints: the network, its training and its data."""
