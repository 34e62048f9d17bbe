"""Chaos: quote to cash while everything fails, then an audit of the books. See ``isthmus chaos --help``."""
