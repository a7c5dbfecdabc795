"""Spawners that start an astronomer's lab as a process or a pod, from one typed plan."""
