"""Labs that are processes of this machine."""
