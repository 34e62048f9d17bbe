"""The models of connector.yaml and blueprint.yaml, and the registry that finds them."""
