"""How the cluster's API is spoken to."""
