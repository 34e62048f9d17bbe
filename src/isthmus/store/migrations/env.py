"""Alembic's environment: runs inside ``isthmus.store.migrate``, never alone."""

from alembic import context
from sqlalchemy import create_engine, text

from isthmus.store.schema import metadata

url = context.config.attributes["url"].replace("postgresql://", "postgresql+psycopg://")
engine = create_engine(url)
with engine.connect() as connection:
    if engine.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_lock(4718)"))
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
engine.dispose()
