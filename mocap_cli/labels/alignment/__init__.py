"""Labels matched to their video: which frames, which time, which side."""
