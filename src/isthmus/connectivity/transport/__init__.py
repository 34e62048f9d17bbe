"""How vendors' wires speak: REST, forms, OData v2; sign-in; pagination (the only importer of the HTTP client)."""
