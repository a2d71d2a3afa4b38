"""What must hold of a paper run after everything that was done to it; each finding is one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select

from ares.bootstrap.replays import certify_run, restep_run, verify_run
from ares.bootstrap.tables import rebuild_tables
from ares.config.workspace import Workspace
from ares.domain.order_events import CommandDone, CommandGiven, CommandRefused, SubmitOrder
from ares.journal.run import entries
from ares.store.database import open_database, reading
from ares.store.projection_sql import TABLES
from ares.store.schema import commands, metadata

PAPER = "paper"
WITHOUT = ("id",)
"""Columns that the database gives."""


class Facts:
    """What a journal says of orders and commands.

    orders  : how often each order id was sent.
    answers : to each command, the first one. Repeats with other effects are in ``findings``.
    """

    def __init__(self, folder: Path) -> None:
        self.orders: Counter[str] = Counter()
        self.answers: dict[str, tuple[str, str]] = {}
        self.deliveries: Counter[str] = Counter()
        self.findings: list[str] = []
        self.events = 0
        for entry in entries(folder):
            self.events += 1
            effects = entry.effects
            self.orders.update(e.client_id for e in effects if isinstance(e, SubmitOrder))
            if isinstance(entry.event, CommandGiven):
                self._command(entry.event.id, effects)

    def _command(self, id_: str, effects: list[Any]) -> None:
        self.deliveries[id_] += 1
        found = [_answer(e) for e in effects if isinstance(e, CommandDone | CommandRefused)]
        if len(found) != 1:
            self.findings.append(f"command {id_} has {len(found)} answers in one event")
            return
        first = self.answers.setdefault(id_, found[0])
        if self.deliveries[id_] > 1 and (len(effects) != 1 or found[0] != first):
            self.findings.append(f"command {id_} was carried out again: {effects}")


def _answer(fact: CommandDone | CommandRefused) -> tuple[str, str]:
    if isinstance(fact, CommandDone):
        return "done", fact.detail
    return "refused", fact.reason


def findings(workspace: Workspace, given: set[str]) -> Iterator[str]:
    """Yield what does not hold, of a run whose engine was stopped cleanly.

    given : ids of the commands that were put in.
    """
    folder = workspace.journal_dir / PAPER
    _, check = verify_run(workspace, PAPER)
    if not check.whole or check.torn_bytes:
        yield f"journal: {check}"
    facts = Facts(folder)
    yield from facts.findings
    yield from (f"order {id_} was sent {n} times" for id_, n in facts.orders.items() if n > 1)
    yield from _of_commands(workspace, facts, given)
    yield from _of_tables(workspace)
    stepped = restep_run(workspace, PAPER)
    if stepped.mismatches:
        yield f"restep: {stepped.mismatches} of {stepped.compared}: {stepped.first}"
    certificate = certify_run(workspace, PAPER)
    if certificate.mismatches:
        yield f"certify: {certificate.lines} {certificate.first}"


def _of_commands(workspace: Workspace, facts: Facts, given: set[str]) -> Iterator[str]:
    """Yield where rows, journal and the ledger of those who asked differ."""
    database, c = open_database(workspace.db_url), commands.c
    with reading(database) as connection:
        rows = connection.execute(select(c.id, c.outcome, c.detail)).all()
    database.dispose()
    stored = {id_: (outcome, detail) for id_, outcome, detail in rows}
    yield from (f"command {id_} is not in the database" for id_ in given - stored.keys())
    for id_, answer in stored.items():
        if answer != facts.answers.get(id_):
            yield f"command {id_} has the answer {answer}, journaled: {facts.answers.get(id_)}"


def _of_tables(workspace: Workspace) -> Iterator[str]:
    """Yield which tables differ from those that are made anew."""
    before = table_rows(workspace)
    rebuild_tables(workspace, PAPER, lambda _name, _seq: None)
    after = table_rows(workspace)
    for name, rows in before.items():
        lost, more = rows - after[name], after[name] - rows
        if lost or more:
            yield f"{name}: {next(iter(lost), None)} became {next(iter(more), None)}"


def table_rows(workspace: Workspace) -> dict[str, Counter[tuple[Any, ...]]]:
    """Return the rows of the paper engine's tables, and how often each is there."""
    return rows_of(workspace.db_url, PAPER)


def rows_of(url: str, environment: str) -> dict[str, Counter[tuple[Any, ...]]]:
    """Return the rows of an environment's tables, and how often each is there."""
    database = open_database(url)
    found: dict[str, Counter[tuple[Any, ...]]] = {}
    with reading(database) as connection:
        for name in TABLES:
            table = metadata.tables[name]
            columns = [column for column in table.c if column.name not in WITHOUT]
            query = select(*columns).where(table.c.environment == environment)
            found[name] = Counter(tuple(row) for row in connection.execute(query))
    database.dispose()
    return found
