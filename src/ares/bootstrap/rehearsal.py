"""The engine in real time against a server of one's own that speaks a venue's protocol, or against
a venue's sandbox, composed: everything is as with real money, and no money is real.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from ares.bootstrap.keys import key_remarks
from ares.bootstrap.real_time import RealTimeStart, run_in
from ares.bootstrap.real_time_plan import RealTimeRequest, VenueAccount
from ares.bootstrap.venue_account import engine_key, venue_account
from ares.config.workspace import Workspace
from ares.domain.api_key import ApiKey
from ares.domain.errors import UserError
from ares.domain.model_life import is_rehearsal

if TYPE_CHECKING:
    from ares.runtime.engine.live_run import LiveEnd, LiveRun


def rehearsal_run(
    workspace: Workspace,
    environment: str,
    request: RealTimeRequest,
    started: Callable[[RealTimeStart, LiveRun], None] = lambda _start, _run: None,
    say: Callable[[str], None] = lambda _: None,
) -> LiveEnd:
    """Run the engine of a rehearsal until it is stopped; start it, or continue it.

    Raises UserError where it would not be one: its server is on this machine or the venue's
    sandbox, and takes orders.
    """
    server = rehearsal_server(workspace, environment, request.address)
    for remark in key_remarks(workspace, environment):
        say(remark)
    with engine_key(workspace, environment, server, say) as key:
        account = rehearsal_account(workspace, server, key)
        request = replace(request, address=server)
        return run_in(workspace, environment, request, account, started, say)


def rehearsal_server(workspace: Workspace, environment: str, address: str | None) -> str:
    """Return the address of a rehearsal's server, or ``SANDBOX``.

    Raises UserError where it is neither.
    """
    from ares.venues.ccxt_setup import SANDBOX
    from ares.venues.known import require_orders, require_sandbox

    if not is_rehearsal(environment):
        raise UserError(f"'{environment}' is no rehearsal: write rehearsal/NAME, in lower case")
    name = workspace.settings.venue
    require_orders(name)
    if address is None and workspace.settings.live_trading.sandbox:
        require_sandbox(name)
        return SANDBOX
    return require_loopback(name, address)


def rehearsal_account(workspace: Workspace, server: str, key: ApiKey) -> VenueAccount:
    """Return the account that a rehearsal trades; server: see ``rehearsal_server``."""
    from ares.bootstrap.venue_feed import rehearsal_clock
    from ares.venues.ccxt_setup import SANDBOX
    from ares.venues.known import require_orders

    name = workspace.settings.venue
    traits = require_orders(name).traits
    is_sandbox = server == SANDBOX
    if not is_sandbox:
        speed = math.ceil(rehearsal_clock(server, 0).speed)
        traits = msgspec.structs.replace(traits, speed=speed)
    return venue_account(name, key, server, traits, binds=is_sandbox)


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
