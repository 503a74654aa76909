"""The only room of the control plane that talks to the Kubernetes API."""
