"""A checksum per candle series, so that damaged rows are found when they are read.

It is unknown (NULL) until the next import or `ares data check` has read all rows of the series, and
after a bar was changed or deleted with SQL.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and have the triggers of 0001 forget it."""
    op.add_column("candle_series", sa.Column("checksum", sa.BigInteger))
    postgres = op.get_context().dialect.name == "postgresql"
    chance = "md5(random()::text || clock_timestamp()::text)"
    version = chance if postgres else "lower(hex(randomblob(16)))"
    for name, when, count in (
        ("candles_deleted", "DELETE", ", bars = bars - 1"),
        ("candles_updated", "UPDATE", ""),
    ):
        renew = (
            f"UPDATE candle_series SET version = {version}, checksum = NULL{count} "
            "WHERE symbol = OLD.symbol AND venue = OLD.venue AND interval = OLD.interval;"
        )
        if postgres:
            op.execute(
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN {renew} RETURN NULL; END $$"
            )
        else:
            op.execute(f"DROP TRIGGER {name}")
            op.execute(f"CREATE TRIGGER {name} AFTER {when} ON candles BEGIN {renew} END")
