"""What the peers written in Python serve."""
