"""Taking work, playing it, waiting, compensating, parking: the durable core."""
