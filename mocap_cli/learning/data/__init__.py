"""From videos to batches: decoding, the frame store, sampling."""
