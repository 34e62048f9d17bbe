"""Experience APIs: what one consumer needs, in one call, in its words; a file for each consumer."""
