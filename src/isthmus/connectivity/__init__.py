"""Everything between a vendor's wire and a canonical object."""
