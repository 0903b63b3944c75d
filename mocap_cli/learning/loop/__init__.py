"""Training: settings, losses, the loop, checkpoints, the metrics log and previews."""
