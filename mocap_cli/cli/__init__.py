"""The command line: one module a command for its options, one for its work, and the display."""
