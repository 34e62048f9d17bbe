"""JSONata: run, field tables, lineage (the only importer of jsonatapy)."""
