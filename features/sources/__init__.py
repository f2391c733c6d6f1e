"""From a source's files to the history, by its mapping and without code."""
