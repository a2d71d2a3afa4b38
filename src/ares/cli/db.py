"""``ares db``: database and tables: upgrade, check, make again; backup and restore."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import typer

from ares.cli.output import JSON_OPTION, count, note, print_json, print_table, say

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


@app.command()
def backup(
    target: Path = typer.Argument(None, help="A new folder; default: backups/TIME."),
    json_: bool = JSON_OPTION,
) -> None:
    """Back the workspace up while it works: database, journals, models, ares.yaml; no keys."""
    from ares.bootstrap.backup import backup_workspace
    from ares.config.workspace import Workspace

    path, manifest = backup_workspace(Workspace.here(), target)
    if json_:
        print_json({"path": path, "files": len(manifest.files), "bytes": manifest.size})
        return
    say(f"{path}: {count(len(manifest.files))} files, {manifest.size / 1e6:,.1f} MB")
    if not manifest.has_database:
        note("The database is not in it: a PostgreSQL server is backed up by pg_dump.")
    note("Keys (.env, the key store) are not in it.")


@app.command()
def restore(
    source: Path = typer.Argument(..., help="Folder of a backup."),
    target: Path = typer.Argument(..., help="A new folder, which becomes a workspace."),
    step: bool = typer.Option(True, "--step/--no-step", help="Step the journals again."),
    json_: bool = JSON_OPTION,
) -> int:
    """Restore a backup as a new workspace: hashes, chains, and each journal stepped again. Exit
    code 1: a journal does not give the effects that it has.
    """
    from ares.bootstrap.backup import restore_workspace

    manifest, journals = restore_workspace(source, target, step)
    code = 1 if any(each.problem for each in journals) else 0
    if json_:
        print_json({"path": target, "files": len(manifest.files), "journals": journals})
        return code
    say(f"{target}: {count(len(manifest.files))} files restored, every hash holds")
    for each in journals:
        stepped = f"{count(each.compared)} events stepped again: byte-equal effects"
        text = each.problem or each.remark or (stepped if step else "whole")
        say(f"{each.environment}: {count(each.records)} records, {text}")
    return code
