"""From videos to training batches: the frame store, the data set and the sampling of items."""
