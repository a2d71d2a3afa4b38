"""``ares db``: the database and the engine's tables: upgrade, check, make again."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from ares.cli.output import JSON_OPTION, count, print_json, print_table, say

ENV_OPTION = typer.Option(None, "--env", help="paper, live, history/RUN; default: all.")
COLUMNS = ("environment", "events in tables", "behind", "last written (UTC)")

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Look after the database."""


@app.command()
def upgrade() -> None:
    """Bring the workspace's database to the newest schema. Every command does so by itself."""
    from ares.config.workspace import Workspace
    from ares.store.database import name_of, open_database
    from ares.store.schema_version import SCHEMA_VERSION

    database = open_database(Workspace.here().db_url)
    say(f"{name_of(database)} has schema {SCHEMA_VERSION}, the newest.")
    database.dispose()


@app.command()
def check(env: str | None = ENV_OPTION, json_: bool = JSON_OPTION) -> int:
    """Check the databases, and how far their tables are behind the journals. Exit code 1: a file is
    damaged.
    """
    from ares.bootstrap.tables import check_databases
    from ares.config.workspace import Workspace

    found = check_databases(Workspace.here(), env, int(datetime.now(UTC).timestamp() * 1_000))
    code = 1 if any(each.problem for each in found) else 0
    if json_:
        print_json([each._asdict() for each in found])
        return code
    for each in found:
        say(f"{each.name}: schema {each.schema}, {each.problem or 'whole'}")
        if each.lags:
            print_table(
                COLUMNS,
                [
                    (lag.environment, count(lag.seq), count(lag.seq_behind), lag.updated_at or "-")
                    for lag in each.lags
                ],
            )
    return code


@app.command()
def rebuild(env: str | None = ENV_OPTION) -> None:
    """Delete the rows of the engine's tables and make them again from the journal."""
    from ares.bootstrap.tables import rebuild_tables
    from ares.config.workspace import Workspace

    rebuild_tables(
        Workspace.here(),
        env,
        lambda name, seq: say(f"{name}: the tables have {count(seq)} events."),
    )
