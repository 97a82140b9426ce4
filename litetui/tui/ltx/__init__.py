"""What the screen knows and says of v0.5 replicas."""
