"""Labels: what people say about poses, read, checked, and taught to a head on a frozen model."""
