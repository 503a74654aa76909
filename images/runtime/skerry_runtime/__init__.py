"""The serving runtime of every engine: Open Inference Protocol v2 over REST."""
