"""A library of videos: many clips tracked by several processes, resumable."""
