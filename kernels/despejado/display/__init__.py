"""Showing images and tables: what is shown, how it becomes that, and the viewers."""
