"""Long and scheduled work behind a small port (the only importer of dbos)."""
