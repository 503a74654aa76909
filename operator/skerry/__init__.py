"""Skerry: keeps the right, proven build of a model running on every device of an edge fleet."""
