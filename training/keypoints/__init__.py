"""Fine-tuning of the 2D keypoint network on rendered people."""
