"""HTTP in: webhooks, system, process and experience APIs; RFC 9457 problems; keys with scopes and a named holder."""
