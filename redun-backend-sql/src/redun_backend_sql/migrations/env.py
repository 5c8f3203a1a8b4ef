"""Runs migrations on the connection that the caller put into the configuration; the transaction is the caller's."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=None)
context.run_migrations()
