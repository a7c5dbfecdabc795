"""What astronomers import: TAP, Butler, images and tables in one call each."""
