"""A real Kubernetes node on this machine, without Docker: what `make cluster` brings up."""
