"""The projector's statements fit the newest schema; forgetting covers each of their tables."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Engine

from ares.store import projection_sql as sql
from ares.store.schema import metadata, projections

STATEMENTS = {
    name: text
    for name, text in vars(sql).items()
    if isinstance(text, str) and re.match("INSERT|UPDATE", text)
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_fits_the_migrated_database(engine: Engine, name: str) -> None:
    """It is compiled: table and columns exist, and there are as many values as columns."""
    text = STATEMENTS[name]
    with engine.connect() as connection:
        connection.exec_driver_sql(f"EXPLAIN {text}", (None,) * text.count("?"))


def test_every_table_that_is_written_is_forgotten_by_environment() -> None:
    """``forget`` deletes TABLES and the progress, by environment."""
    assert len(STATEMENTS) > 10
    texts = "\n".join(STATEMENTS.values())
    written = set(re.findall(r"(?:INSERT INTO|^UPDATE) (\w+)", texts, re.MULTILINE))
    assert written == {*sql.TABLES, projections.name}
    for name in written:
        assert "environment" in metadata.tables[name].columns


def test_an_update_is_bound_to_one_environment() -> None:
    updates = [text for text in STATEMENTS.values() if text.startswith("UPDATE")]
    assert updates
    for text in updates:
        assert "environment = ?" in text.partition("WHERE")[2], text
