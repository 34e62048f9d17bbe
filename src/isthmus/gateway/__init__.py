"""HTTP in: webhooks, system, process and experience APIs."""
