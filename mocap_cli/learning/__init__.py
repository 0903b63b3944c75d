"""Learning from unlabelled clips: the networks, their losses and the loop that trains them."""
