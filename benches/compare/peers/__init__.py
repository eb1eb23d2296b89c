"""The servers compared, one a file."""
