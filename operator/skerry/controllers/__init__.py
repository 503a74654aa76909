"""kopf wiring: gather, decide, apply."""
