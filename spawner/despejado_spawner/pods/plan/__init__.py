"""What is in a pod (pure)."""
