"""What every table of the database is made of: its collection, the types of its columns."""

from __future__ import annotations

from sqlalchemy import TIMESTAMP, BigInteger, Integer, MetaData, Text, text

metadata = MetaData()
NOW = text("CURRENT_TIMESTAMP")
ID = BigInteger().with_variant(Integer, "sqlite")
"""A number that the database gives; SQLite gives one to INTEGER alone."""
Time = Text().with_variant(TIMESTAMP(timezone=True), "postgresql")
