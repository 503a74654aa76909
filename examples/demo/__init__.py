"""The demonstration: one EdgeModel through its whole life on a real cluster (`make demo`)."""
