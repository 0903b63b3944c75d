"""From 2D keypoints over time to 3D joints: the network and its use."""
