"""Hosts every vendor's stand-in as one server, on one port, by path prefix and by host name."""
