"""The training loop: losses, checkpoints, metrics, previews."""
