"""What an engine does at the moment, computed from its state: positions, orders, halts, breakers.

Prices are of the quote currency, quantities of the base currency, money of the account's currency;
times are milliseconds of market time, shares are fractions. None: there is no such value.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ares.core.facts import mode_name
from ares.core.halts import instrument_state
from ares.core.orders import Order, status
from ares.core.slot import lanes_of
from ares.core.slots import champion_lane
from ares.core.state import State
from ares.domain.events import BarsClosed, BreakerChanged, Effect, Event
from ares.domain.feed_events import FeedChanged
from ares.domain.holding_events import DifferenceFound, ResidueLeft
from ares.domain.instrument import MONEY_DECIMALS, InstrumentSpec
from ares.domain.model_events import ModelRefused
from ares.domain.order_events import EventRefused, OrderEnded, StopMissing, VenueDown
from ares.kernel.features.catalogue import WARMUP_BARS
from ares.kernel.trade.layout import REASON_NAMES
from ares.runtime.engine.breaker_status import BreakerStatus, breakers_of

UNITS = 10.0**MONEY_DECIMALS


class InstrumentStatus(msgspec.Struct, frozen=True):
    """An instrument: its data, its models, its position over all its lanes.

    bar_ms : closing instant of its newest bar since the start. age_s: of that bar.
    exit   : why its position is being sold; empty: it is not.
    missing: which bars it lacks, since it has none at the newest instant; empty: it lacks none.
    state  : of the instrument at the venue, see ``InstrumentState``.
    stop_held : by the engine: the position is too small for a stop at the venue.
    features_s : until the features of its champion are complete, where bars were missing; 0: they
             are.
    """

    instrument: str
    bar_ms: int | None
    age_s: float | None
    price: float | None
    mode: str
    mode_confidence: float
    champion: str
    stages: tuple[str, ...]
    position_base: float
    entry_price: float | None
    value_quote: float
    pnl_quote: float
    stop_price: float | None
    exit: str
    outside_base: float
    missing: str = ""
    features_s: float = 0.0
    state: str = "trading"
    stop_held: bool = False


class OrderStatus(msgspec.Struct, frozen=True):
    """An order that is open."""

    client_id: str
    instrument: str
    kind: str
    qty_base: float
    filled_base: float
    price: float | None
    status: str
    sent_ms: int


class HaltStatus(msgspec.Struct, frozen=True):
    """A halt of entries; ``instrument`` is empty where it is of all."""

    instrument: str
    reason: str
    needs_person: bool
    since_ms: int
    detail: str


class DifferenceStatus(msgspec.Struct, frozen=True):
    """A difference between ledger and venue that waits for a person.

    id   : names it in commands. qty_base : signed, of what the ledger does not have.
    """

    instrument: str
    kind: str
    detail: str
    since_ms: int
    id: str = ""
    qty_base: float = 0.0


class EngineStatus(msgspec.Struct, frozen=True):
    """All of it.

    config_version : how often people changed settings of this run; rule_changes: which rules of the
               trade half differ from its setup since.
    last_error : the newest since the start; empty: none.
    """

    environment: str
    seq: int
    now_ms: int
    bars_ms: int
    venue_up: bool
    reconciling: bool
    equity_quote: float
    cash_quote: float
    drawdown: float
    daily_stopped: bool
    instruments: tuple[InstrumentStatus, ...]
    orders: tuple[OrderStatus, ...]
    halts: tuple[HaltStatus, ...]
    differences: tuple[DifferenceStatus, ...]
    breakers: tuple[BreakerStatus, ...]
    config_version: int
    rule_changes: dict[str, float]
    last_error: str
    last_error_ms: int | None


def served_champions(state: State) -> dict[str, str]:
    """Return the hash of the champion that is served, by instrument key."""
    lanes = {key: champion_lane(state, i) for i, key in enumerate(state.setup.keys)}
    return {key: state.slots[lane].hash for key, lane in lanes.items() if lane is not None}


class RecentEvents:
    """What a status needs of the events since the start: a watcher of the loop.

    bar_ms : closing instant of the newest bar of each instrument that had one.
    opened : the newest opening of each breaker, by name and lane.
    missing : what each instrument lacks that has no bar at the newest instant.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = tuple(keys)
        self.bar_ms: dict[int, int] = {}
        self.opened: dict[tuple[str, int], BreakerChanged] = {}
        self.missing: dict[int, str] = {}
        self.last_error = ""
        self.last_error_ms: int | None = None

    def watch(self, _seq: int, event: Event, effects: Sequence[Effect]) -> None:
        """Take the next journal entry."""
        if type(event) is BarsClosed:
            for i, present in enumerate(event.present):
                if present:
                    self.bar_ms[i] = event.ts_ms
            if len(effects) < 2:
                return  # a decision and nothing else: nearly every bar
        if isinstance(event, FeedChanged):
            if event.state == "absent":
                self.missing[event.instrument] = event.detail
            elif event.state == "up":
                self.missing.pop(event.instrument, None)
        for effect in effects:
            if isinstance(effect, BreakerChanged) and effect.after == "open":
                self.opened[effect.breaker, effect.instrument] = effect
        found = _problem(event)
        for item in (event, *effects) if found is None else ():
            found = _problem(item) or found
        if found is not None:
            instrument, ts_ms, text = found
            known = instrument >= 0 and self._keys
            key = f"{self._keys[instrument % len(self._keys)]}: " if known else ""
            self.last_error, self.last_error_ms = f"{key}{text}", ts_ms


def _problem(item: Event | Effect) -> tuple[int, int, str] | None:
    """Return instrument, time and text of what went wrong; None: nothing did."""
    match item:
        case EventRefused():
            return item.instrument, item.ts_ms, item.reason
        case OrderEnded(reason="rejected"):
            return -1, item.ts_ms, f"order {item.client_id} was rejected: {item.detail}"
        case ResidueLeft():
            text = f"{item.lots} lots worth {item.units / UNITS:g} cannot be sold: left outside"
            return item.instrument, item.ts_ms, text
        case StopMissing():
            return item.instrument, item.ts_ms, item.detail
        case DifferenceFound():
            return item.instrument, item.ts_ms, f"{item.kind}: {item.detail}"
        case ModelRefused():
            return item.instrument, item.ts_ms, f"a model was refused: {item.reason}"
        case VenueDown():
            return -1, item.ts_ms, f"the venue is down: {item.detail}".rstrip(": ")
        case _:
            return None


def engine_status(state: State, recent: RecentEvents, now_ms: int) -> EngineStatus:
    """Return the status of an engine at ``now_ms`` of market time."""
    account, n = state.trade.account[0], state.setup.n_instruments
    peak = int(account["peak_equity"])
    return EngineStatus(
        environment=state.setup.environment,
        seq=state.seq,
        now_ms=now_ms,
        bars_ms=state.now_ms,
        venue_up=state.venue_up,
        reconciling=state.reconciling,
        equity_quote=int(account["equity"]) / UNITS,
        cash_quote=int(account["cash"]) / UNITS,
        drawdown=(peak - int(account["equity"])) / peak if peak > 0 else 0.0,
        daily_stopped=bool(account["daily_stopped"]),
        instruments=tuple(_instrument(state, i, recent, now_ms) for i in range(n)),
        orders=tuple(_order(state, order) for order in state.orders.values()),
        halts=tuple(
            HaltStatus(_key(state, h.instrument), h.reason, h.needs_person, h.since_ms, h.detail)
            for h in state.halts
        ),
        differences=tuple(
            DifferenceStatus(
                _key(state, d.instrument), d.kind, d.detail, d.ts_ms, d.id, _missing(state, d)
            )
            for d in state.differences
        ),
        breakers=breakers_of(state, recent.opened),
        config_version=state.config_version,
        rule_changes=state.rule_changes,
        last_error=recent.last_error,
        last_error_ms=recent.last_error_ms,
    )


def _instrument(state: State, i: int, recent: RecentEvents, now_ms: int) -> InstrumentStatus:
    bar_ms = recent.bar_ms.get(i)
    lanes, spec = lanes_of(state.setup, i), state.setup.instruments[i].spec
    rows = [state.trade.book[lane] for lane in lanes]
    held = [row for row in rows if int(row["position_lots"])]
    champion = champion_lane(state, i)
    lots, cost = (sum(int(row[name]) for row in rows) for name in ("position_lots", "cost_units"))
    close = max(int(row["last_close"]) for row in rows)
    value = _base(lots, spec) * _price(close, spec)
    lead = rows[0] if champion is None else state.trade.book[champion]
    stops = [int(row["stop_ticks"]) for row in held if int(row["stop_ticks"]) > 0]
    exits = [int(row["exit_reason"]) for row in held if int(row["exit_reason"])]
    return InstrumentStatus(
        instrument=spec.instrument.key,
        bar_ms=bar_ms,
        age_s=None if bar_ms is None else (now_ms - bar_ms) / 1_000.0,
        price=_price(close, spec) if close else None,
        mode="LEARNING" if champion is None else mode_name(int(lead["mode"])),
        mode_confidence=0.0 if champion is None else float(lead["mode_confidence"]),
        champion="" if champion is None else state.slots[champion].hash,
        stages=tuple(state.slots[lane].stage for lane in lanes),
        position_base=_base(lots, spec),
        entry_price=cost / UNITS / _base(lots, spec) if lots else None,
        value_quote=value,
        pnl_quote=value - cost / UNITS if lots else 0.0,
        stop_price=_price(max(stops), spec) if stops else None,
        exit=REASON_NAMES[exits[0]] if exits else "",
        outside_base=_base(state.outside_lots[i], spec),
        missing=recent.missing.get(i, ""),
        features_s=_incomplete_s(state, i, champion),
        state=instrument_state(state, i),
        stop_held=any(state.lane_orders[lane].held_ticks for lane in lanes),
    )


def _incomplete_s(state: State, i: int, champion: int | None) -> float:
    """Return how long the features of an instrument's champion are not complete yet."""
    ensemble = None if champion is None else state.slots[champion].ensemble
    timeframes, left_s = state.setup.timeframes, 0.0
    for member in () if ensemble is None else ensemble.members:
        k = i * len(timeframes) + timeframes.index(member.timeframe)
        bars = WARMUP_BARS - int(state.bar_series.features[k]["age"])
        left_s = max(left_s, bars * member.timeframe.ms / 1_000.0)
    return left_s


def _order(state: State, order: Order) -> OrderStatus:
    spec = state.setup.instruments[order.instrument].spec
    return OrderStatus(
        client_id=order.client_id,
        instrument=spec.instrument.key,
        kind=order.kind,
        qty_base=_base(order.lots, spec),
        filled_base=_base(order.filled_lots, spec),
        price=_price(order.price_ticks, spec) if order.price_ticks else None,
        status=status(order),
        sent_ms=order.sent_ms,
    )


def _missing(state: State, difference: DifferenceFound) -> float:
    if difference.instrument < 0:
        return 0.0
    return _base(difference.lots, state.setup.instruments[difference.instrument].spec)


def _key(state: State, lane: int) -> str:
    return "" if lane < 0 else state.setup.instruments[lane].spec.instrument.key


def _price(ticks: int, spec: InstrumentSpec) -> float:
    return float(ticks * 10.0**-spec.price_decimals)


def _base(lots: int, spec: InstrumentSpec) -> float:
    return float(lots * 10.0**-spec.qty_decimals)
