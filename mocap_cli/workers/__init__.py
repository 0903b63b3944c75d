"""Workers: the same work on many inputs, in several processes or on a cluster."""
