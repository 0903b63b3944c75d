"""Labels of poses: read from files, aligned with videos, and fitted on a frozen encoder."""
