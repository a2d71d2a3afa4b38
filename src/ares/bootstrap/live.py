"""The engine with real money, composed: it starts only where all that live needs is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ares.bootstrap.keys import key_remarks, stored_key
from ares.bootstrap.real_time import RealTimeStart, run_in
from ares.bootstrap.real_time_plan import RealTimeRequest
from ares.bootstrap.venue_account import engine_key, required_key, venue_account
from ares.config.workspace import Workspace
from ares.domain.api_key import ApiKey
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
        key_problem=_problem(lambda: _require_key(workspace)),
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
    for remark in key_remarks(workspace, LIVE):
        say(remark)
    with engine_key(workspace, LIVE, server, say) as key:
        if server is None:
            _require_rights(workspace, key, say)
        account = venue_account(venue, key, server, require_orders(venue).traits, binds=True)
        return run_in(workspace, LIVE, replace(request, address=server), account, started, say)


def _require_rights(workspace: Workspace, key: ApiKey, say: Callable[[str], None]) -> None:
    """Raise NothingToDo for a key that the signer does not hold, or that may do too much."""
    from ares.bootstrap.signer import checked_by_signer
    from ares.venues.signer_client import HeldKey

    if not isinstance(key, HeldKey):
        raise NothingToDo(
            "live needs its key in the key file, where the engine cannot read it: `ares keys set`"
            " moves it there from .env"
        )
    found = checked_by_signer(workspace, LIVE)
    if found.problems:
        raise NothingToDo("; ".join(f"{found.name}: {problem}" for problem in found.problems))
    for remark in found.remarks:
        say(f"{found.name}: {remark}")


def _require_key(workspace: Workspace) -> None:
    """Raise UserError where live has no key."""
    if stored_key(workspace, LIVE) is None:
        required_key(workspace, LIVE)


def _problem(check: Callable[[], object]) -> str:
    try:
        check()
    except UserError as error:
        return str(error)
    return ""
