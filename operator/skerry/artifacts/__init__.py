"""What lies in OCI registries, seen from the control plane: names and digests, never blobs."""
