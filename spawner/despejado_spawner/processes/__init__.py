"""What labs as processes need of the operating system."""
