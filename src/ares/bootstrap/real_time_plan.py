"""The plan of a run in real time that begins: its instruments, models, rules and venue."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from ares.config.workspace import Workspace
from ares.domain.venue import SIMULATED

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ares.core.state import State
    from ares.domain.api_key import ApiKey
    from ares.domain.events import Event
    from ares.domain.instrument import Instrument, InstrumentSpec
    from ares.domain.venue import VenueTraits
    from ares.kernel.features.user import UserFeatures
    from ares.ports import Clock
    from ares.runtime.engine.clocks import RunningClock
    from ares.runtime.engine.plan import RunPlan
    from ares.runtime.engine.venue_engine import RunningVenue
    from ares.store.candles import CandleStore


class Connect(Protocol):
    """Returns the account of a state as its venue: events go to ``post``, lines to ``say``. With it
    come the executions of `ares kill` that the state may not know.
    """

    async def __call__(
        self,
        state: State,
        clock: RunningClock,
        post: Callable[[Event], None],
        say: Callable[[str], None],
    ) -> tuple[RunningVenue, list[Event]]:
        """Raise AresError where the venue does not answer, or has other instruments."""


@dataclass(frozen=True, slots=True)
class RealTimeRequest:
    """The request of ``ares run`` in real time; None leaves it to the settings.

    symbols : symbols or keys, of a run that begins.
    stored  : the feed is stored candles, from ``from_ms`` (default: two weeks before their end) to
              ``to_ms``, at ``speed``.
    address : scheme and host of another server with the venue's API: a rehearsal.
    """

    symbols: tuple[str, ...] | None = None
    stored: bool = False
    from_ms: int | None = None
    to_ms: int | None = None
    speed: float = 1.0
    learn: bool = False
    address: str | None = None


@dataclass(frozen=True, slots=True)
class VenueAccount:
    """An account at a venue outside this process, which an environment trades.

    spec_of : the venue's grid and smallest order of an instrument.
    connect : returns the venue of a state; the engine runs it.
    identity : venue, server and key: one environment trades it. binds: for good.
    key      : with which market data is asked for, where the venue wants one.
    """

    traits: VenueTraits
    spec_of: Callable[[Instrument], InstrumentSpec]
    connect: Connect
    identity: str
    binds: bool
    key: ApiKey | None = None


def real_time_plan(
    workspace: Workspace,
    database: Engine,
    request: RealTimeRequest,
    environment: str,
    account: VenueAccount | None,
    own: UserFeatures | None,
    clock: Clock,
) -> tuple[RunPlan, list[str]]:
    """Return the plan of a run that begins, and remarks on it.

    own : the user's own features. clock: of its feed.
    """
    import msgspec

    from ares.bootstrap.run_plan import plan_of
    from ares.bootstrap.trade_rules import run_rules
    from ares.runtime.engine.plan import named

    plan, remarks = plan_of(
        workspace, database, own, environment, request.symbols, request.learn,
        lambda store, keys: (_first_ms(store, request, keys, clock), None),
        spec_of=None if account is None else account.spec_of,
        traits=SIMULATED if account is None else account.traits,
    )  # fmt: skip
    setup = msgspec.structs.replace(
        plan.setup,
        rules=run_rules(workspace.settings, environment, plan.setup.keys),
        adopts_existing=account is not None and workspace.settings.account.existing == "adopt",
        entry_rest_ms=0
        if account is None
        else entry_rest_ms(
            workspace.settings.venue,
            workspace.settings.live_trading.entry_rest_seconds,
            account.traits,
        ),
    )
    root = str(workspace.root.resolve())
    return named(replace(plan, setup=setup), environment, root, secrets.token_hex(8)), remarks


def entry_rest_ms(venue: str, seconds: float, traits: VenueTraits) -> int:
    """Return how long entries rest; raise UserError where the venue takes no post-only orders."""
    from ares.domain.errors import UserError

    if seconds and not traits.takes_post_only:
        raise UserError(
            f"{venue} takes no post-only orders from Ares: set live_trading.entry_rest_seconds to 0"
        )
    return round(seconds * 1_000)


def _first_ms(
    store: CandleStore,
    request: RealTimeRequest,
    keys: Sequence[Instrument],
    clock: Clock,
) -> int:
    """Return the instant from which a new run trades."""
    from ares.bootstrap.runs import DEFAULT_DAYS
    from ares.domain.timeframe import MINUTE_MS
    from ares.runtime.engine.plan import default_window

    if request.from_ms is not None:
        return request.from_ms
    begin_ms, end_ms = default_window(store, keys, DEFAULT_DAYS)
    if request.stored:
        return begin_ms
    # What the venue has since the newest stored candle is caught up by the feed.
    return min(end_ms, clock.now_ms() // MINUTE_MS * MINUTE_MS)
