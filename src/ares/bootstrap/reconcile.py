"""The ledger of an environment beside its venue, composed."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from ares.config.account_keys import account_key, names_of
from ares.config.workspace import Workspace
from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError

if TYPE_CHECKING:
    from ares.domain.run import RunSetup
    from ares.observe.reconciliation import ReconciledLine
    from ares.runtime.engine.status import DifferenceStatus
    from ares.store.commands import CommandAnswer
    from ares.venues.statement import Statement

ATTEMPTS = 3
APART_S = 1.0
"""Beside a running engine what was just executed may be in one of the two only."""

EARLIER_MS = 60_000


class Reconciliation(msgspec.Struct, frozen=True):
    """All lines of both sides; complete: the venue's pages were read to their end."""

    environment: str
    venue: str
    complete: bool
    lines: tuple[ReconciledLine, ...]

    @property
    def differing(self) -> tuple[ReconciledLine, ...]:
        """Return the lines that are not the same."""
        return tuple(line for line in self.lines if line.differs)


def account_environment(workspace: Workspace, named: str | None) -> str:
    """Return the environment whose account is meant: the named one, that of the engine that runs,
    else the only rehearsal there is.

    Raises UserError where that does not name one.
    """
    from ares.bootstrap.control import running_engine
    from ares.bootstrap.tables import environments
    from ares.domain.model_life import is_rehearsal

    if named:
        return named
    try:
        return running_engine(workspace, None).environment
    except ExternalError:
        rehearsals = [name for name in environments(workspace) if is_rehearsal(name)]
    if len(rehearsals) != 1:
        known = f"one of {', '.join(rehearsals)}" if rehearsals else "rehearsal/NAME; none has run"
        raise UserError(f"name an environment with an account at a venue, --env: {known}")
    return rehearsals[0]


def reconciliation(
    workspace: Workspace, environment: str, address: str | None = None
) -> Reconciliation:
    """Return the ledger beside the venue; nothing is changed on either side.

    address : scheme and host of the environment's server, where it is a rehearsal.

    Raises UserError where the environment has no account, ExternalError where its journal or its
    venue cannot be read.
    """
    from ares.bootstrap.control import engine_runs
    from ares.bootstrap.tables import journal_folder
    from ares.domain.model_life import LIVE, is_rehearsal
    from ares.journal.run import setup_of

    if not is_rehearsal(environment) and environment != LIVE:
        raise UserError(
            f"{environment} has no account at a venue: name one with --env live or rehearsal/NAME"
        )
    folder = journal_folder(workspace, environment)
    setup = setup_of(folder)
    if setup is None:
        raise ExternalError(f"{environment} has no journal yet: start it with `ares run`")
    venue = setup.instruments[0].spec.instrument.venue
    server = account_server(workspace, environment, venue, address)
    is_running = engine_runs(workspace, environment)
    with _reading_key(workspace, environment, server, is_running=is_running) as key:
        for attempt in range(ATTEMPTS):
            found = _read(workspace, environment, setup, key, server)
            if not found.differing or not is_running or attempt + 1 == ATTEMPTS:
                break
            time.sleep(APART_S)
    return found


def account_server(
    workspace: Workspace, environment: str, venue: str, address: str | None
) -> str | None:
    """Return the server that has an environment's account; None: the venue's own address."""
    from ares.bootstrap.rehearsal import require_loopback
    from ares.domain.model_life import LIVE
    from ares.venues.ccxt_setup import SANDBOX
    from ares.venues.known import require_sandbox

    if environment == LIVE:
        if address is not None:
            raise UserError(f"--address {address}: the account of live is at {venue} itself")
        return None
    if address is None and workspace.settings.live_trading.sandbox:
        require_sandbox(venue)
        return SANDBOX
    return require_loopback(venue, address)


def waiting_differences(workspace: Workspace, environment: str) -> tuple[DifferenceStatus, ...]:
    """Return what an engine has found and a person must settle; nothing where none runs."""
    from ares.bootstrap.control import engine_runs, running_engine

    if not engine_runs(workspace, environment):
        return ()
    return running_engine(workspace, environment).status.differences


def settle_difference(
    workspace: Workspace, environment: str, difference: DifferenceStatus, how: str, reason: str
) -> CommandAnswer:
    """Have the engine settle one difference; see ``core.settlement``."""
    from ares.bootstrap.control import give

    return give(
        workspace, environment, "settle", instrument=difference.instrument,
        difference=difference.id, how=how, reason=reason,
    )  # fmt: skip


def _read(
    workspace: Workspace, environment: str, setup: RunSetup, key: ApiKey, server: str | None
) -> Reconciliation:
    from ares.bootstrap.tables import journal_folder
    from ares.journal.run import entries
    from ares.observe.ledger_lines import ledger_of
    from ares.observe.reconciliation import reconciled

    specs = [lane.spec for lane in setup.instruments[: setup.n_instruments]]
    ledger = ledger_of(len(specs), entries(journal_folder(workspace, environment)))
    symbols = [spec.instrument.symbol for spec in specs]
    venue = specs[0].instrument.venue
    from_ms = ledger.begin_ms - EARLIER_MS
    statement = asyncio.run(_statement(venue, key, server, symbols, from_ms))
    lines = reconciled(ledger, statement, specs, setup.owner)
    return Reconciliation(environment, venue, statement.complete, tuple(lines))


async def _statement(
    venue: str, key: ApiKey, server: str | None, symbols: list[str], from_ms: int
) -> Statement:
    from ares.venues.account import account_at

    account = account_at(venue, key, lambda: time.time_ns() // 1_000_000, address=server)
    try:
        return await account.statement(symbols, max(0, from_ms))
    finally:
        await account.close()


@contextmanager
def _reading_key(
    workspace: Workspace, environment: str, server: str | None, *, is_running: bool
) -> Iterator[ApiKey]:
    """Give a key that reads: of the signer, which several processes share, else of ``.env``."""
    from ares.bootstrap.own_signer import signer_for
    from ares.bootstrap.signer import held_key

    with signer_for(workspace, environment, server) as engines:
        if engines is None:
            yield _key(workspace, environment, is_running=is_running)
        else:
            yield held_key(workspace, environment, "reader") or engines


def _key(workspace: Workspace, environment: str, *, is_running: bool) -> ApiKey:
    """Return a key that reads: one of its own, else the engine's where no engine uses it now.

    Two processes with one key overtake each other's nonces, and the venue refuses the later one.
    """
    dotenv, reader = workspace.root / ".env", f"{environment}-reader"
    found = account_key(dotenv, os.environ, reader)
    if found is None and not is_running:
        found = account_key(dotenv, os.environ, environment)
    if found is None:
        names = " and ".join(names_of(reader))
        raise UserError(f"{names} are not set, in .env or the environment: a key that only reads")
    return found
