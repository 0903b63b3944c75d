"""The networks of the self-supervised model and its baselines."""
