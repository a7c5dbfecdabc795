"""Labs as pods: builders of Kubernetes objects, watches, and what a start and an end mean."""
