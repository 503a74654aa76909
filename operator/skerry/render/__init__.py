"""Pure: decisions to Kubernetes objects."""
