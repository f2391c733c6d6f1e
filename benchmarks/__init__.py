"""Side by side with the plain baseline, in one run."""
