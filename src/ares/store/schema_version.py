"""The version of the database's schema; who compares it need not load SQLAlchemy for that."""

from __future__ import annotations

SCHEMA_VERSION = "0009"
"""The newest migration; a test compares it with Alembic's head (which takes 0.2 s to read)."""
