"""``ares kill``: stops an environment whether its engine is healthy, frozen or dead, composed."""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ares.bootstrap.stopping import last_address
from ares.config.account_keys import account_key
from ares.config.workspace import Workspace
from ares.domain.api_key import ApiKey
from ares.domain.errors import AresError, ExternalError, UserError
from ares.domain.model_life import is_rehearsal
from ares.domain.run import RunSetup
from ares.domain.venue import SIMULATED
from ares.journal.lock import require_free
from ares.journal.run import setup_of
from ares.runtime.ops.fence import Fence, holder_of, is_frozen
from ares.runtime.ops.journal_ledger import JournalLedger, journal_ledger
from ares.runtime.ops.stop_file import StopOrder, clear_stop, is_stopped, read_stop, write_stop

if TYPE_CHECKING:
    from ares.runtime.engine.clocks import RunningClock
    from ares.runtime.ops.unwinding import Unwound

ANSWER_S = 0.7
"""An engine that has not answered a command by then is ended: all must be over within 2 s."""

DONE_S = 3.0
"""An engine that has answered, and is not done by then, is ended too."""

LOOK_S = 0.05

LOAD_S = 0.3
"""Where an engine may answer, the venue's code is imported later: both take the processor."""


class KillRequest(msgspec.Struct, frozen=True):
    """What a person wants stopped; None: what runs, or the only one."""

    environment: str | None
    flatten: bool
    reason: str
    address: str | None = None


class KillEnd(msgspec.Struct, frozen=True):
    """What became of it.

    by       : engine: it carried the command out; kill: this command acted in its place; next
               start: nothing is at a venue, the next start carries it out.
    killed   : process of the engine that was ended; 0: none.
    remains  : what is held still, a line each.
    """

    environment: str
    by: str
    flat: bool
    seconds: float
    killed: int = 0
    cancelled: int = 0
    late: int = 0
    remains: tuple[str, ...] = ()


def kill(
    workspace: Workspace, request: KillRequest, who: str, say: Callable[[str], None]
) -> KillEnd:
    """Stop an environment now; return once nothing of it can arrive late any more.

    Raises UserError where the request does not name one that can be stopped, ExternalError where
    neither engine nor venue can be reached.
    """
    begun_s = time.monotonic()
    environment = kill_environment(workspace, request.environment)
    folder = workspace.journal_dir / environment
    setup = setup_of(folder)
    if setup is None:
        raise UserError(f"{environment} has no journal: there is nothing to stop")
    order = StopOrder(
        uuid.uuid4().hex, environment, setup.owner, who, request.reason,
        time.time_ns() // 1_000_000, request.flatten,
    )  # fmt: skip
    _write(folder, order, say)
    stopping = _Kill(workspace, request, order, setup, folder, say, begun_s)
    return stopping.run()


def kill_environment(workspace: Workspace, named: str | None) -> str:
    """Return the environment that is meant: the named one, that of the engine that runs, else the
    only one; the database is not asked.

    Raises UserError where that does not name one.
    """
    from ares.bootstrap.tables import environments

    known = [name for name in environments(workspace) if not name.startswith("history/")]
    if named is not None:
        if named not in known:
            raise UserError(f"{named} has no journal: there is nothing to stop")
        return named
    running = [name for name in known if is_held(workspace.journal_dir / name)]
    found = running or known
    if len(found) != 1:
        names = ", ".join(found) or "none has run yet"
        raise UserError(f"name an environment with --env: {names}")
    return found[0]


def is_held(folder: Path) -> bool:
    """Return whether an engine of this machine holds a journal."""
    try:
        require_free(folder, "an engine", "")
    except ExternalError:
        return True
    return False


def resume_stopped(workspace: Workspace, environment: str | None) -> str | None:
    """Clear the stop file of an environment whose engine does not run; return its name, or None
    where nothing is stopped or an engine runs, which is to be asked.
    """
    try:
        name = kill_environment(workspace, environment)
    except UserError:
        return None
    folder = workspace.journal_dir / name
    if is_held(folder) or not is_stopped(folder):
        return None
    with suppress(ExternalError):  # a damaged one is cleared too: a person wants it
        read_stop(folder, name)
    clear_stop(folder)
    return name


def _write(folder: Path, order: StopOrder, say: Callable[[str], None]) -> None:
    """Write the stop file; where that fails it is said, and the rest goes on."""
    read_stop_of_this(folder, order.environment)
    try:
        write_stop(folder, order)
    except OSError as error:
        say(
            f"the stop file could not be written ({error.strerror}): do not start the engine"
            " before `ares kill` was run again"
        )


def read_stop_of_this(folder: Path, environment: str) -> None:
    """Raise UserError where a stop file of another environment lies here."""
    with suppress(ExternalError, OSError):
        read_stop(folder, environment)


class _Kill:
    def __init__(
        self, workspace: Workspace, request: KillRequest, order: StopOrder, setup: RunSetup,
        folder: Path, say: Callable[[str], None], begun_s: float,
    ) -> None:  # fmt: skip
        self._workspace, self._request, self._order = workspace, request, order
        self._setup, self._folder, self._say, self._begun_s = setup, folder, say, begun_s
        self._at_venue = setup.traits.deadline_ms > 0 or setup.traits.answer_ms > 0
        assert self._at_venue == (setup.traits != SIMULATED)

    def run(self) -> KillEnd:
        """Have the engine do it; otherwise end it and act in its place."""
        environment, pid = self._order.environment, holder_of(self._folder)
        venue = self._setup.instruments[0].spec.instrument.venue
        may_answer = is_held(self._folder) and not (pid and is_frozen(pid))
        loading = threading.Timer(LOAD_S if may_answer else 0.0, load_venue, [venue])
        loading.daemon = True
        if self._at_venue:
            loading.start()
        if may_answer and self._engine_did():
            loading.cancel()
            return KillEnd(environment, "engine", True, self._passed_s)
        if self._at_venue:
            loading.join()
            server = server_of(environment, venue, self._folder, self._request.address)
            acting = Acting(self._order, self._setup, self._folder, server, self._say)
            return act(self._workspace, acting, begun_s=self._begun_s)
        fence = Fence(self._folder)
        try:
            if fence.killed:
                self._say(f"the engine (process {fence.killed}) was ended")
            is_flat = journal_ledger(self._folder).is_flat
            return KillEnd(environment, "next start", is_flat, self._passed_s, fence.killed)
        finally:
            fence.release()

    @property
    def _passed_s(self) -> float:
        return time.monotonic() - self._begun_s

    # --- by the engine -------------------------------------------------------------------------

    def _engine_did(self) -> bool:
        """Give the engine the command; return whether it has carried it out in time."""
        answers: list[str] = []

        def ask() -> None:
            from ares.bootstrap.control import give

            with suppress(Exception):  # a database that is locked, full or gone
                answer = give(
                    self._workspace, self._order.environment, self._order.verb, wait_s=ANSWER_S,
                    command_id=self._order.id, reason=self._order.reason,
                )  # fmt: skip
                answers.append(answer.outcome)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(ANSWER_S + 0.4)
        if answers != ["done"]:
            self._say("the engine does not answer")
            return False
        if not self._at_venue:
            return True
        until_s = time.monotonic() + DONE_S
        while time.monotonic() < until_s:
            ledger = journal_ledger(self._folder)
            if self._is_done(ledger):
                self._say(f"done by the engine after {self._passed_s:.1f} s")
                return True
            if any(ledger.lots[lane] for lane in self._disputed(ledger)):
                self._say("the engine sells nothing where a difference stands")
                return False
            time.sleep(LOOK_S)
        self._say(f"the engine is not done after {self._passed_s:.1f} s")
        return False

    def _is_done(self, ledger: JournalLedger) -> bool:
        if self._order.flatten:
            return ledger.is_flat
        return not any(order.kind == "entry" for order in ledger.orders.values())

    def _disputed(self, ledger: JournalLedger) -> list[int]:
        n = self._setup.n_instruments
        lanes = range(len(ledger.lots)) if self._order.flatten else ()
        return [lane for lane in lanes if lane % n in ledger.disputed]


class Acting(msgspec.Struct, frozen=True):
    """What is done in an engine's place, and where; server: see ``server_of``."""

    order: StopOrder
    setup: RunSetup
    folder: Path
    server: str | None
    say: Callable[[str], None]


def act(
    workspace: Workspace, acting: Acting, key: ApiKey | None = None, begun_s: float | None = None
) -> KillEnd:
    """End an engine for good, and act in its place; key: None: its own, or the engine's.

    Raises ExternalError where the venue cannot be reached, or the engine not be ended.
    """
    begun_s = time.monotonic() if begun_s is None else begun_s
    _write(acting.folder, acting.order, acting.say)
    fence = Fence(acting.folder)
    try:
        if fence.killed:
            acting.say(f"the engine (process {fence.killed}) was ended")
        return _acted(workspace, acting, key, fence.killed, begun_s)
    finally:
        fence.release()


def _acted(
    workspace: Workspace, acting: Acting, key: ApiKey | None, killed: int, begun_s: float
) -> KillEnd:
    from ares.venues.amounts import text_of

    environment = acting.order.environment
    ledger = journal_ledger(acting.folder)
    with nullcontext(key) if key else kill_key(workspace, environment, acting.server) as used:
        done = asyncio.run(_unwound(workspace, acting, ledger, used, begun_s))
    specs = [lane.spec for lane in acting.setup.instruments]
    remains = tuple(
        f"{text_of(lots, specs[lane].qty_decimals)} {specs[lane].instrument.base}: {why}"
        for found, why in (
            (done.remainders, "less than the venue's smallest order"),
            (done.missing, "the ledger has it, the account has not: `ares reconcile`"),
        )
        for lane, lots in found.items()
    )
    passed_s = time.monotonic() - begun_s
    return KillEnd(
        environment, "kill", not remains, passed_s, killed, len(done.cancelled), done.late, remains
    )


async def _unwound(
    workspace: Workspace, acting: Acting, ledger: JournalLedger, key: ApiKey, begun_s: float
) -> Unwound:
    from ares.runtime.ops.unwinding import Unwinding, UnwindingPlan
    from ares.venues.account import account_at

    def reached(done: Unwound) -> None:
        sold = f", {len(done.sold)} positions sold" if done.sold else ""
        acting.say(
            f"done after {time.monotonic() - begun_s:.1f} s: {len(done.cancelled)} orders"
            f" cancelled{sold}; orders that may still arrive are looked for until their deadlines"
        )

    venue = acting.setup.instruments[0].spec.instrument.venue
    clock = venue_clock_of(acting.server, ledger.at_ms)
    account = account_at(venue, key, clock.now_ms, acting.say, acting.server)
    plan = UnwindingPlan(acting.order.flatten, collar_bps(workspace), secrets.token_hex(4))
    try:
        return await Unwinding(account, ledger, plan, clock, acting.say, reached).run()
    finally:
        await account.close()


def load_venue(venue: str) -> None:
    """Import what takes longest, while the engine is asked, or before it is needed."""
    import ares.runtime.ops.unwinding
    from ares.venues.ccxt_one import import_one

    assert ares.runtime.ops.unwinding
    import_one(venue)


def server_of(environment: str, venue: str, folder: Path, address: str | None) -> str | None:
    """Return the address of a rehearsal's server, or ``SANDBOX``; None: the venue's own."""
    from ares.bootstrap.rehearsal import require_loopback
    from ares.venues.ccxt_setup import SANDBOX

    if not is_rehearsal(environment):
        return None
    found = address or last_address(folder)
    return found if found == SANDBOX else require_loopback(venue, found)


def venue_clock_of(address: str | None, at_ms: int) -> RunningClock:
    """Return the clock by which the deadlines of a journal are."""
    from ares.bootstrap.venue_feed import rehearsal_clock
    from ares.runtime.engine.clocks import RunningClock
    from ares.venues.ccxt_setup import SANDBOX

    if address is None or address == SANDBOX:
        return RunningClock.after(at_ms)
    return rehearsal_clock(address, at_ms)


@contextmanager
def kill_key(workspace: Workspace, environment: str, server: str | None) -> Iterator[ApiKey]:
    """Give a key of its own, else the engine's: no engine uses that any more."""
    from ares.bootstrap.venue_account import engine_key

    own = account_key(workspace.root / ".env", os.environ, f"{environment}-kill")
    if own is not None:
        yield own
        return
    with engine_key(workspace, environment, server) as found:
        yield found


def collar_bps(workspace: Workspace) -> float:
    """Return ``kill.collar_bps``; its default where the settings cannot be read."""
    from ares.config.stopping import KillSettings

    try:
        return workspace.settings.kill.collar_bps
    except AresError:
        return KillSettings().collar_bps
