"""Message to object: verify, split, deduplicate, translate, poll."""
