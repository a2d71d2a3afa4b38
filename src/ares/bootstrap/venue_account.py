"""An account at a venue as a run trades it: its grid, and its connections, composed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ares.bootstrap.keys import stored_key
from ares.bootstrap.real_time_plan import VenueAccount
from ares.config.account_keys import account_key, names_of
from ares.config.workspace import Workspace
from ares.domain.api_key import ApiKey, key_name
from ares.domain.errors import ExternalError, UserError
from ares.domain.model_life import LIVE, is_rehearsal
from ares.domain.venue import VenueTraits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ares.core.state import State
    from ares.domain.events import Event
    from ares.domain.instrument import Instrument, InstrumentSpec
    from ares.domain.run import RunSetup
    from ares.runtime.engine.clocks import RunningClock
    from ares.runtime.engine.venue_engine import RunningVenue
    from ares.venues.account import VenueAccess

KILL_EARLIER_MS = 900_000
"""What was sold so long before the journal's end is looked for, too."""

START_WAITS_S = (1, 2, 4, 8, 15, 30)
"""Between the tries of a start to reach the venue."""


def venue_account(
    venue: str, key: ApiKey, server: str | None, traits: VenueTraits, *, binds: bool
) -> VenueAccount:
    """Return the account of a key.

    server : scheme and host of another server with the venue's API, or ``SANDBOX``; None: its own
             address.
    binds  : see ``AccountLock``.
    """
    from ares.venues.ccxt_setup import listed_markets
    from ares.venues.markets import market_of

    listed: dict[str, Mapping[str, Any]] = {}

    def spec_of(instrument: Instrument) -> InstrumentSpec:
        if not listed:
            with ThreadPoolExecutor(1) as apart:  # an event loop runs in this thread
                found = apart.submit(asyncio.run, listed_markets(venue, server, key))
                listed.update(found.result())
        if instrument.symbol not in listed:
            where = f" at {server}" if server else ""
            raise UserError(f"{venue}{where} does not trade {instrument.symbol}")
        return market_of(listed[instrument.symbol]).spec(venue)

    async def connect(
        state: State,
        clock: RunningClock,
        post: Callable[[Event], None],
        say: Callable[[str], None],
    ) -> tuple[RunningVenue, list[Event]]:
        return await _connected(state, clock, post, say, key, server)

    identity = f"{venue} {server or ''} {key.fingerprint}"
    return VenueAccount(traits, spec_of, connect, identity, binds, key)


@contextmanager
def engine_key(
    workspace: Workspace,
    environment: str,
    server: str | None,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[ApiKey]:
    """Give the key of an environment's account: held by the signer where it is stored in the key
    file, and otherwise that of ``.env``.

    server : see ``venue_account``; a stored key of live is sent to its venue alone.

    Raises UserError where there is none.
    """
    from ares.bootstrap.own_signer import signer_for

    if environment == LIVE and server is not None:
        yield required_key(workspace, environment)
        return
    if stored_key(workspace, environment) is not None:
        require_token_stream(workspace.settings.venue)
    with signer_for(workspace, environment, server, say) as held:
        yield held or required_key(workspace, environment)


def require_token_stream(venue: str) -> None:
    """Raise UserError where a venue's private stream signs in with the secret itself: the signer
    sends requests alone.
    """
    from ares.venues.known_signing import signing_of

    if not signing_of(venue).streams_by_token:
        raise UserError(
            f"the private stream of {venue} signs in with the secret, which the signer does not do"
            " yet: a rehearsal there takes its key from .env, and live is not possible"
        )


def required_key(workspace: Workspace, environment: str) -> ApiKey:
    """Return the key of an environment's account; raise UserError where it has none."""
    found = account_key(workspace.root / ".env", os.environ, environment)
    if found is None:
        names = " and ".join(names_of(environment))
        hint = ": `ares sim serve` shows its keys" if is_rehearsal(environment) else ""
        raise UserError(
            f"{names} are not set, in .env or the environment, and no key is stored{hint},"
            f" `ares keys set {key_name(environment, workspace.settings.venue)}` stores one"
        )
    return found


async def _connected(
    state: State,
    clock: RunningClock,
    post: Callable[[Event], None],
    say: Callable[[str], None],
    key: ApiKey,
    server: str | None,
) -> tuple[RunningVenue, list[Event]]:
    """Return the account as the venue of a state; the engine runs it. Return what `ares kill` sold
    beside the engine, too.

    A venue that does not answer is asked again for a minute: a start in the middle of its trouble,
    with stops to look after, is not to be given up at once.
    """
    from ares.venues.account import account_at
    from ares.venues.markets import require_same_grid

    setup = state.setup
    specs = [lane.spec for lane in setup.instruments[: setup.n_instruments]]
    symbols = [spec.instrument.symbol for spec in specs]
    account = account_at(specs[0].instrument.venue, key, clock.now_ms, say, server)
    waits = iter(START_WAITS_S)
    try:
        while True:
            try:
                require_same_grid(specs, await account.markets(symbols))
                await _say_fees(account, symbols, setup, say)
                venue = await account.venue(symbols, setup.traits, post)
                return venue, await _sold_by_kill(account, symbols, state)
            except ExternalError as error:
                wait_s = next(waits, None)
                if wait_s is None:
                    raise
                say(f"{error}; asked again in {wait_s} s")
                await asyncio.sleep(wait_s)
    except BaseException:
        await account.close()
        raise


async def _sold_by_kill(account: VenueAccess, symbols: list[str], state: State) -> list[Event]:
    """Return what `ares kill` executed since shortly before the journal's end: nothing but the
    venue may know of it.
    """
    from ares.domain.kill_ids import kill_lane

    setup = state.setup
    if not state.at_ms:
        return []
    from_ms = state.at_ms - KILL_EARLIER_MS * setup.traits.speed
    statement = await account.statement(symbols, max(0, from_ms))
    return [
        execution
        for execution in statement.executions
        if execution.client_id.startswith(setup.owner) and kill_lane(execution.client_id) >= 0
    ]


async def _say_fees(
    account: VenueAccess, symbols: Sequence[str], setup: RunSetup, say: Callable[[str], None]
) -> None:
    """Say where the account pays more than the run counts with; a start goes on without."""
    from ares.venues.account_fees import fee_remarks

    venue = setup.instruments[0].spec.instrument.venue
    try:
        fees = await account.fees(symbols)
    except ExternalError as error:
        say(str(error))
        return
    for line in fee_remarks(venue, fees, setup.rules["fee_bps"]):
        say(line)
