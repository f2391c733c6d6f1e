"""Learn from what happened next."""
