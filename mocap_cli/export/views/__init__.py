"""Pictures, videos and pages that show a Motion to a person."""
