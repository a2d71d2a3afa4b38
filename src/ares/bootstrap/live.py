"""The engine with real money, composed: it starts only where all that live needs is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ares.bootstrap.real_time import RealTimeStart, run_in
from ares.bootstrap.real_time_plan import RealTimeRequest
from ares.bootstrap.venue_account import required_key, venue_account
from ares.config.workspace import Workspace
from ares.domain.errors import NothingToDo, UserError
from ares.domain.model_life import LIVE

if TYPE_CHECKING:
    from ares.runtime.engine.live_run import LiveEnd, LiveRun
    from ares.runtime.lifecycle.going_live import LiveConditions


def live_conditions(
    workspace: Workspace, request: RealTimeRequest, typed: str | None
) -> LiveConditions:
    """Return what a start of live depends on; see ``runtime.lifecycle.going_live``.

    typed : the account's name as a person typed it; None: nobody has yet.
    """
    from ares.runtime.lifecycle.going_live import LiveConditions, live_champions
    from ares.runtime.registry.model_journal import read_registry
    from ares.venues.known import require_orders

    settings = workspace.settings
    live, venue = settings.live_trading, settings.venue
    keys = [f"{venue}:{symbol}" for symbol in live.instruments or ()]
    return LiveConditions(
        mode=live.mode,
        enabled=live.enabled,
        account_name=live.account_name,
        typed=typed,
        sandbox=live.sandbox,
        address=request.address,
        allow_list=live.instruments,
        order_quote_max=live.order_quote_max,
        stop=settings.strategy.stop,
        venue_problem=_problem(lambda: require_orders(venue)),
        key_problem=_problem(lambda: required_key(workspace, LIVE)),
        champions=live_champions(read_registry(workspace.journal_dir), keys),
    )


def live_run(
    workspace: Workspace,
    request: RealTimeRequest,
    typed: str,
    started: Callable[[RealTimeStart, LiveRun], None] = lambda _start, _run: None,
    say: Callable[[str], None] = lambda _: None,
    *,
    server: str | None = None,
) -> LiveEnd:
    """Run the engine with real money until it is stopped; start it, or continue it.

    server : of a test, in the place of the venue's own.

    Raises NothingToDo where something is missing: `missing_for_live` names all of it.
    """
    from ares.runtime.lifecycle.going_live import missing_for_live
    from ares.venues.known import require_orders

    missing = missing_for_live(live_conditions(workspace, request, typed))
    if missing:
        raise NothingToDo("; ".join(missing))
    venue = workspace.settings.venue
    key, traits = required_key(workspace, LIVE), require_orders(venue).traits
    account = venue_account(venue, key, server, traits, binds=True)
    return run_in(workspace, LIVE, replace(request, address=server), account, started, say)


def _problem(check: Callable[[], object]) -> str:
    try:
        check()
    except UserError as error:
        return str(error)
    return ""
