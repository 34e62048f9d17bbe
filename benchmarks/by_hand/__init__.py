"""What a very good engineer would write by hand for this one company: no product, one script, every promise kept."""
