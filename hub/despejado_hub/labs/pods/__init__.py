"""Labs that are pods of a cluster."""
