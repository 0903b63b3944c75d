"""Training recipe of the bundled lifter."""
