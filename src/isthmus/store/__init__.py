"""Tables and queries, a file a table group; the only writer of SQL."""
