"""Customer relationship management."""
