"""Self-supervised learning from unlabelled clips: data, networks and training."""
