"""What a fitted model says of a row, and how it lies on disk."""
