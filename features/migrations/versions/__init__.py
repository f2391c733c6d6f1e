"""A file for each version of the store's tables; what each begins with, the one before has left."""
