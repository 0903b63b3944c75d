"""How a camera sees: projection and rays."""
