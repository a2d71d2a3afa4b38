"""``ares watchdog``: watches an engine from a process and with a key of its own, composed."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ares.bootstrap.kill import Acting, act, is_held, load_venue, server_of
from ares.bootstrap.real_time import ENGINE_BEAT
from ares.config.account_keys import account_key, names_of
from ares.config.workspace import Workspace
from ares.domain.api_key import ApiKey, key_name
from ares.domain.errors import AresError, ExternalError, UserError
from ares.journal.lock import Lock
from ares.journal.run import setup_of
from ares.runtime.ops.fence import END_S, command_of, holder_of
from ares.runtime.ops.journal_ledger import journal_ledger
from ares.runtime.ops.stop_file import StopOrder, is_stopped, read_stop
from ares.runtime.ops.watch import EngineSigns, Watch

if TYPE_CHECKING:
    from ares.domain.key_rights import KeyRights
    from ares.domain.run import RunSetup
    from ares.security.passphrase import PassphraseSources

WATCHDOG = "watchdog"
"""Its lock is in this folder of ``ops/ENVIRONMENT``."""

WATCHDOG_BEAT = "watchdog.json"
LOOK_S = 0.5
RETRY_S = 5.0
"""The pause before acting in an engine's place is tried again."""

MARGIN_S = 30.0
"""What acting may take beyond its limits: requests that are on their way then."""

DONE = "done"
"""Beside the watchdog's lock: id of the stop order that it has carried out."""


class WatchdogReady(msgspec.Struct, frozen=True):
    """The line that a watchdog prints once it watches."""

    environment: str
    pid: int
    silent_s: float
    flattens: bool


def run_watchdog(
    workspace: Workspace,
    environment: str,
    address: str | None,
    sources: PassphraseSources,
    ready: Callable[[WatchdogReady], None],
    say: Callable[[str], None],
    stop: threading.Event,
) -> None:
    """Watch an engine until ``stop`` is set.

    Raises UserError where there is nothing to watch or its key is missing, ExternalError where
    another watchdog runs or the venue does not answer at the start.
    """
    settings = workspace.settings.watchdog
    folder = workspace.journal_dir / environment
    ops = workspace.ops_dir(environment)
    lock = Lock(ops / WATCHDOG, "another watchdog", "one is enough")
    try:
        setup = _setup(folder, environment, say, stop)
        if setup is None:
            return
        venue = setup.instruments[0].spec.instrument.venue
        server = server_of(environment, venue, folder, address)
        key = watchdog_key(workspace, environment, sources)
        flattens = _may_flatten(venue, key, server, settings.flatten, say)
        load_venue(venue)
        ready(WatchdogReady(environment, os.getpid(), settings.silent_seconds, flattens))
        watch = Watch(settings.silent_seconds, lambda: _has_ended(folder))
        intervention = Intervention(workspace, setup, server, key, say, flatten=flattens)
        while not stop.is_set():
            _beat(ops / WATCHDOG_BEAT, environment)
            signs = _signs(folder, ops / ENGINE_BEAT)
            intervention.turn(watch.look(signs, time.monotonic()))
            stop.wait(LOOK_S)
    finally:
        lock.release()


def watchdog_key(workspace: Workspace, environment: str, sources: PassphraseSources) -> ApiKey:
    """Return the watchdog's own key: of ``.env``, else of the key file.

    Raises UserError where there is none: with the engine's key beside it the two would overtake
    each other's nonces.
    """
    from ares.bootstrap.keys import open_vault, stored_key

    found = account_key(workspace.root / ".env", os.environ, f"{environment}-{WATCHDOG}")
    if found is not None:
        return found
    name = key_name(environment, workspace.settings.venue, WATCHDOG)
    if stored_key(workspace, environment, WATCHDOG) is None:
        names = " and ".join(names_of(f"{environment}-{WATCHDOG}"))
        raise UserError(
            "the watchdog needs a key of its own, which queries and cancels:"
            f" `ares keys set {name}` stores one, or set {names}"
        )
    return open_vault(workspace, sources).key(name)


def _setup(
    folder: Path, environment: str, say: Callable[[str], None], stop: threading.Event
) -> RunSetup | None:
    """Return what is to be watched; wait for the first start of an environment."""
    is_reported = False
    while not stop.is_set():
        with suppress(FileNotFoundError):
            setup = setup_of(folder)
            if setup is not None and setup.traits.answer_ms == 0:
                raise UserError(f"{environment} trades at no venue: there is nothing to watch")
            if setup is not None:
                return setup
        if not is_reported:
            say(f"{environment} has not begun: waiting for its first start")
            is_reported = True
        stop.wait(LOOK_S)
    return None


def _may_flatten(
    venue: str, key: ApiKey, server: str | None, wanted: bool, say: Callable[[str], None]
) -> bool:
    """Say what the watchdog's key may do; return whether it may sell, and is to."""
    rights = asyncio.run(_rights(venue, key, server))
    if rights is None or not rights.is_known:
        say(f"{venue} does not tell what the watchdog's key may do: make it query and cancel alone")
        return wanted
    if not rights.can_cancel:
        raise UserError("the watchdog's key cannot cancel orders: give it that right")
    if rights.can_trade and not wanted:
        say("the watchdog's key may trade, too: one that queries and cancels is enough")
    if wanted and not rights.can_trade:
        say("watchdog.flatten is set, but its key cannot trade: entries alone will be cancelled")
    return wanted and rights.can_trade


async def _rights(venue: str, key: ApiKey, server: str | None) -> KeyRights | None:
    """Return what the venue says of the key; None: it does not say. Raises what a key is refused
    for.
    """
    from ares.security.sender import Sender
    from ares.venues.key_rights import KeyRefused, key_rights
    from ares.venues.known_signing import signing_of

    sender = Sender(signing_of(venue), lambda: key, lambda: time.time_ns() // 1_000_000, server)
    try:
        return await key_rights(venue, sender.ask)
    except KeyRefused:
        raise
    except ExternalError:
        return None
    finally:
        await sender.close()


def _signs(folder: Path, beat: Path) -> EngineSigns:
    pid = holder_of(folder)
    if not pid and is_held(folder):
        pid = 1  # somebody holds it; the system does not say who
    try:
        beat_s: float | None = beat.stat().st_mtime
    except OSError:
        beat_s = None
    return EngineSigns(pid, beat_s, is_stopped(folder))


def _has_ended(folder: Path) -> bool:
    """Return whether the engine stopped by itself, as its journal says."""
    try:
        return journal_ledger(folder).stopped
    except (AresError, OSError):
        return False


class Intervention:
    """Ends an engine for good and acts in its place; what fails is tried again until it is done.

    A watchdog that starts goes on with what one before it had begun.
    """

    def __init__(
        self, workspace: Workspace, setup: RunSetup, server: str | None, key: ApiKey,
        say: Callable[[str], None], *, flatten: bool,
    ) -> None:  # fmt: skip
        self._workspace, self._setup, self._server, self._key = workspace, setup, server, key
        self._say, self._flatten = say, flatten
        self._folder = workspace.journal_dir / setup.environment
        self._ops = workspace.ops_dir(setup.environment)
        self._order = self._unfinished()
        self._is_written = self._order is not None
        self._next_s, self._reported = float("-inf"), ""

    def turn(self, why: str) -> None:
        """Begin where there is a reason, and go on with what is not done."""
        if self._order is None and why:
            self._say(f"{why}: it is ended, and stays stopped until `ares resume`")
            self._order = StopOrder(
                uuid.uuid4().hex, self._setup.environment, self._setup.owner, WATCHDOG, why,
                time.time_ns() // 1_000_000, self._flatten,
            )  # fmt: skip
            self._is_written, self._next_s = False, float("-inf")
        if self._order is None or time.monotonic() < self._next_s:
            return
        if self._is_written and not is_stopped(self._folder):
            self._say("a person has resumed: nothing more is done in the engine's place")
            self._order = None
        elif "kill" not in command_of(holder_of(self._folder)):  # a person's acts already
            self._try(self._order)

    def _try(self, order: StopOrder) -> None:
        try:
            with self._beating():
                acting = Acting(order, self._setup, self._folder, self._server, self._say)
                end = act(self._workspace, acting, self._key)
        except (AresError, OSError) as error:
            if str(error) != self._reported:
                self._say(f"{error}; tried again")
            self._reported = str(error)
            self._is_written = self._is_written or is_stopped(self._folder)
            self._next_s = time.monotonic() + RETRY_S
            return
        self._order, self._reported = None, ""
        with suppress(OSError):  # without it a watchdog that starts acts once more
            (self._ops / WATCHDOG / DONE).write_text(order.id)
        kept = "everything is sold" if order.flatten else "stops are kept"
        self._say(f"{end.cancelled} orders were cancelled, {kept}")
        for line in end.remains:
            self._say(f"held still: {line}")

    def _unfinished(self) -> StopOrder | None:
        """Return what a watchdog before this one has begun, and not marked as done."""
        try:
            order = read_stop(self._folder, self._setup.environment, self._setup.owner)
            if order is None or order.who != WATCHDOG:
                return None
            mark = self._ops / WATCHDOG / DONE
            if mark.exists() and mark.read_text().strip() == order.id:
                return None
        except (AresError, OSError):
            return None
        self._say(f"acting in the engine's place was not finished ({order.reason}): it goes on")
        return order

    @contextmanager
    def _beating(self) -> Iterator[None]:
        """Give signs of life meanwhile, for as long as acting can take and no longer."""
        from ares.runtime.ops.unwinding import GIVE_UP_S

        traits = self._setup.traits
        late_s = (traits.deadline_ms + traits.absence_margin_ms) / 1_000.0
        until_s = time.monotonic() + END_S + GIVE_UP_S + late_s + MARGIN_S
        is_over = threading.Event()

        def beat() -> None:
            while not is_over.wait(LOOK_S) and time.monotonic() < until_s:
                _beat(self._ops / WATCHDOG_BEAT, self._setup.environment)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()


def _beat(path: Path, environment: str) -> None:
    from ares.runtime.engine.heartbeat import write_heartbeat

    try:
        write_heartbeat(path, environment, {}, time.time_ns() // 1_000_000)
    except OSError:
        with suppress(OSError):
            os.utime(path)
