"""Images and their tags."""
