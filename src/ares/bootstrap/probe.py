"""A venue's declared traits, compared with what an account of the user's shows, composed."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, cast

import msgspec

from ares.bootstrap.control import engine_runs
from ares.bootstrap.rehearsal import require_loopback
from ares.bootstrap.venue_account import required_key
from ares.bootstrap.venue_feed import rehearsal_clock
from ares.config.workspace import Workspace
from ares.domain.api_key import ApiKey
from ares.domain.errors import UserError
from ares.domain.venue import VenueTraits

if TYPE_CHECKING:
    from ares.venues.probe import ProbedAccount, ProbedTrait, ProbePlan

LIVE = "live"


class ProbeRequest(NamedTuple):
    """What is asked for.

    address : of a server on this machine. sandbox: the venue's own. Neither: the venue itself.
    agreed  : the user agrees to orders with money.
    """

    venue: str
    symbol: str = "BTC/USDT"
    address: str | None = None
    sandbox: bool = False
    agreed: bool = False
    environment: str | None = None


def probe_venue(
    workspace: Workspace,
    request: ProbeRequest,
    planned: Callable[[ProbePlan], None],
    found: Callable[[ProbedTrait], None],
) -> None:
    """Ask a venue everything; ``planned`` is called before anything is sent, ``found`` with each
    answer.

    Raises UserError where there is no key, or no agreement to orders at a venue's own address;
    ExternalError where the venue does not answer.
    """
    from ares.venues.ccxt_setup import SANDBOX
    from ares.venues.known import require_orders, require_sandbox

    declared = require_orders(request.venue)
    server, environment = SANDBOX, request.environment or f"rehearsal/{request.venue}"
    if request.address is not None:
        server = require_loopback(request.venue, request.address)
    elif request.sandbox:
        require_sandbox(request.venue)
    else:
        server, environment = "", request.environment or LIVE
    if request.address is None and not request.agreed:
        where = f"the sandbox of {request.venue}" if request.sandbox else request.venue
        raise UserError(
            f"a probe buys and sells the smallest size at {where}: agree with --yes, or give the"
            " --address of `ares sim serve`"
        )
    key = required_key(workspace, environment)
    if engine_runs(workspace, environment):
        raise UserError(f"the engine of {environment} uses this key: stop it first")
    asyncio.run(_probe(request, declared.traits, key, server, planned, found))


async def _probe(
    request: ProbeRequest,
    traits: VenueTraits,
    key: ApiKey,
    server: str,
    planned: Callable[[ProbePlan], None],
    found: Callable[[ProbedTrait], None],
) -> None:
    from ares.runtime.engine.clocks import RunningClock
    from ares.venues.account import account_at
    from ares.venues.probe import Probe, plan_of

    is_loopback = request.address is not None
    clock = rehearsal_clock(server, 0) if is_loopback else RunningClock.after(0)
    if is_loopback:
        traits = msgspec.structs.replace(traits, speed=math.ceil(clock.speed))
    account = account_at(request.venue, key, clock.now_ms, address=server or None)
    if not hasattr(account, "try_late"):
        await account.close()
        raise UserError(f"{request.venue} cannot be probed yet")
    probed = cast("ProbedAccount", account)
    try:
        plan, market, price = await plan_of(probed, request.symbol)
        planned(plan)
        probe = Probe(
            probed, plan, market, price, traits, clock.now_ms, lambda: uuid.uuid4().hex, found
        )
        await probe.run()
    finally:
        await account.close()
