"""Alembic's entry: runs the migrations on the connection that ``open_database`` hands in."""

from __future__ import annotations

from alembic import context

from ares.store.schema import metadata

if hasattr(context, "config"):  # Alembic runs this file; whoever merely imports it does nothing
    context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
    context.run_migrations()
