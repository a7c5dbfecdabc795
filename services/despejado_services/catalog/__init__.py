"""The catalogue store: which tables there are, what their columns mean, and where the rows are."""
