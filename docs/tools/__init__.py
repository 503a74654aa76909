"""Makes what in docs/ is made from something else: the reference and the pictures."""
