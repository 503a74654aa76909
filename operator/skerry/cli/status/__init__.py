"""`skerry status`: models, classes, builds, waves and nodes as one tree, once or live."""
