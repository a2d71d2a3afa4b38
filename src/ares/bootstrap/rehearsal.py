"""The engine in real time against a server of one's own that speaks a venue's protocol, composed:
everything is as with real money, and no money is real.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from ares.bootstrap.real_time import RealTimeStart, run_in
from ares.bootstrap.real_time_plan import RealTimeRequest, VenueAccount
from ares.config.account_keys import account_key, names_of
from ares.config.workspace import Workspace
from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError
from ares.domain.model_life import is_rehearsal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ares.core.state import State
    from ares.domain.events import Event
    from ares.domain.instrument import Instrument, InstrumentSpec
    from ares.runtime.engine.clocks import RunningClock
    from ares.runtime.engine.live_run import LiveEnd, LiveRun
    from ares.runtime.engine.venue_engine import RunningVenue


START_WAITS_S = (1, 2, 4, 8, 15, 30)
"""Between the tries of a start to reach the venue."""


def rehearsal_run(
    workspace: Workspace,
    environment: str,
    request: RealTimeRequest,
    started: Callable[[RealTimeStart, LiveRun], None] = lambda _start, _run: None,
    say: Callable[[str], None] = lambda _: None,
) -> LiveEnd:
    """Run the engine of a rehearsal until it is stopped; start it, or continue it.

    Raises UserError where it would not be one: its server is on this machine, and takes orders.
    """
    account = rehearsal_account(workspace, environment, request.address)
    return run_in(workspace, environment, request, account, started, say)


def rehearsal_account(workspace: Workspace, environment: str, address: str | None) -> VenueAccount:
    """Return the account that a rehearsal trades."""
    from ares.bootstrap.venue_feed import rehearsal_clock
    from ares.venues.ccxt_setup import listed_markets
    from ares.venues.known import require_orders
    from ares.venues.markets import market_of

    if not is_rehearsal(environment):
        raise UserError(f"'{environment}' is no rehearsal: write rehearsal/NAME, in lower case")
    name = workspace.settings.venue
    declared = require_orders(name)
    server = require_loopback(name, address)
    key = _key(workspace, environment)
    listed: dict[str, Mapping[str, Any]] = {}

    def spec_of(instrument: Instrument) -> InstrumentSpec:
        if not listed:
            with ThreadPoolExecutor(1) as apart:  # an event loop runs in this thread
                listed.update(apart.submit(asyncio.run, listed_markets(name, server)).result())
        if instrument.symbol not in listed:
            raise UserError(f"{name} at {server} does not trade {instrument.symbol}")
        return market_of(listed[instrument.symbol]).spec(name)

    speed = math.ceil(rehearsal_clock(server, 0).speed)
    traits = msgspec.structs.replace(declared.traits, speed=speed)

    async def connect(
        state: State,
        clock: RunningClock,
        post: Callable[[Event], None],
        say: Callable[[str], None],
    ) -> RunningVenue:
        return await _connected(state, clock, post, say, key, server)

    return VenueAccount(traits, spec_of, connect)


def require_loopback(venue: str, address: str | None) -> str:
    """Return the address of a rehearsal's server; raise UserError where it is not this machine.

    >>> require_loopback("kraken", "http://127.0.0.1:8600")
    'http://127.0.0.1:8600'
    """
    if address is None:
        raise UserError(
            f"a rehearsal on {venue} needs the --address of its server, such as"
            f" http://127.0.0.1:8600 of `ares sim serve --protocol {venue}`"
        )
    host = urlsplit(address).hostname or ""
    try:
        is_own = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_own = False
    if not is_own:
        raise UserError(
            f"--address {address} is not on this machine: a rehearsal is against a loopback"
            " address, such as http://127.0.0.1:8600"
        )
    return address


def _key(workspace: Workspace, environment: str) -> ApiKey:
    """Return the key of the environment's account; raise UserError where it has none."""
    found = account_key(workspace.root / ".env", os.environ, environment)
    if found is None:
        names = " and ".join(names_of(environment))
        raise UserError(
            f"{names} are not set, in .env or the environment: `ares sim serve` shows its keys"
        )
    return found


async def _connected(
    state: State,
    clock: RunningClock,
    post: Callable[[Event], None],
    say: Callable[[str], None],
    key: ApiKey,
    server: str,
) -> RunningVenue:
    """Return the account as the venue of a state; the engine runs it.

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
                return await account.venue(symbols, setup.traits, post)
            except ExternalError as error:
                wait_s = next(waits, None)
                if wait_s is None:
                    raise
                say(f"{error}; asked again in {wait_s} s")
                await asyncio.sleep(wait_s)
    except BaseException:
        await account.close()
        raise
