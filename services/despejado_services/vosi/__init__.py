"""What the service says of itself: VOSI 1.1, TAPRegExt 1.0 and DALI examples."""
