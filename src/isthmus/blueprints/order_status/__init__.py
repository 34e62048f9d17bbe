"""Order status: what happened since, told to everyone who asks."""
