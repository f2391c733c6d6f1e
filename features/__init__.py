"""What we know of a customer at a moment."""
