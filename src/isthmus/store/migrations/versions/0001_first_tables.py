"""The first tables."""

from alembic import op

from isthmus.store.schema import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table of the first schema."""
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    """Drop them."""
    metadata.drop_all(op.get_bind())
