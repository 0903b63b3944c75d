"""Quality of a motion without ground truth: measures, their limits and one verdict."""
