"""The recipe that trains the bundled lifter."""
