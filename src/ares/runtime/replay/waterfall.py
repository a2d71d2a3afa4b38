"""The parity waterfall: from the backtest of a run's decisions to its executions at the venue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ares.core.slot_history import SlotHistory
from ares.domain.errors import UserError
from ares.domain.events import (
    BarsClosed,
    ConfigChanged,
    DecisionMade,
    Effect,
    RunStarted,
)
from ares.domain.instrument import MONEY_DECIMALS
from ares.domain.order_events import CancelOrder, CommandGiven, SubmitOrder
from ares.domain.run import RunSetup
from ares.journal.run import JournalEntry, entries
from ares.runtime.engine.bar_panel import ClosedBars
from ares.runtime.replay.executed_orders import ExecutedOrders, SentEntry
from ares.runtime.replay.modelled_orders import ModelledOrders
from ares.runtime.replay.parity import Parts, TradeParity
from ares.runtime.replay.trade_path import InstrumentBars, TradePath

UNITS = 10.0**MONEY_DECIMALS
BPS = 1e4

FORCED = ("operator", "drawdown")
"""Reasons of exits that the model cannot know: a person's, and the drawdown breaker's, which looks
at the whole account.
"""


@dataclass(frozen=True, slots=True)
class TradeWaterfall:
    """One entry of a run: the trade by the fill model, and the trade at the venue.

    order    : client id of the entry; status: of that order.
    decided_ms : the closing instant of its decision.
    lots, entry_ticks, exit_reason : modelled, then executed. Prices are averages; None: no trade.
    notional_quote : what the bps refer to, of its entry.
    quote, bps : the waterfall in the quote currency and in bps; None: nothing was traded.
    """

    instrument: str
    order: str
    status: str
    decided_ms: int
    lots: tuple[int, int]
    entry_ticks: tuple[float | None, float | None]
    exit_reason: tuple[str | None, str | None]
    notional_quote: float
    quote: Parts
    bps: Parts | None

    @property
    def remark(self) -> str:
        """Return what differs besides prices and fees, in a few words; empty: nothing."""
        (modelled, executed), (reason, reason_live) = self.lots, self.exit_reason
        if not executed:
            return f"not filled: {self.status}" if modelled else "no fill in either"
        if not modelled:
            return "no fill in the model"
        if reason != reason_live:
            return f"{reason_live}; model: {reason}"
        return "" if modelled == executed else f"{executed / modelled:.0%} of the model's size"


@dataclass(frozen=True, slots=True)
class ScopeWaterfall:
    """The trades of an instrument, or of all.

    both, only_backtest, only_live : in how many trades were made.
    notional_quote : of their entries; bps refer to it. None: nothing was traded.
    """

    name: str
    both: int
    only_backtest: int
    only_live: int
    notional_quote: float
    quote: Parts
    bps: Parts | None


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The waterfall of a run: in all, by instrument, and by trade, the worst gap first."""

    environment: str
    from_ms: int
    to_ms: int
    currency: str
    total: ScopeWaterfall
    instruments: tuple[ScopeWaterfall, ...]
    trades: tuple[TradeWaterfall, ...] = field(repr=False)

    @property
    def sentence(self) -> str:
        """Return the result in one sentence."""
        total = self.total
        if total.bps is None:
            return "Nothing was traded, by the model or at the venue."
        traded = f"{total.both} trades in both"
        if total.only_backtest:
            traded += f", {total.only_backtest} in the backtest only"
        if total.only_live:
            traded += f", {total.only_live} live only"
        money = f"{total.quote.gap:+z,.2f} {self.currency}"
        return f"{traded}: live is {total.bps.gap:+z.2f} bps from the backtest ({money})."


def waterfall(folder: Path) -> Waterfall:
    """Return the waterfall of a run, from its journal alone; it may still go on.

    Raises UserError where the journal is empty.
    """
    journal = iter(entries(folder))
    first = next(journal, None)
    if first is None or not isinstance(first.event, RunStarted):
        raise UserError(f"{folder.name}: the journal is empty: run it again")
    account = _Accounts(first.event.setup)
    account.add(first)
    for entry in journal:
        account.add(entry)
    return account.waterfall()


class _Accounts:
    """The two accounts of a run, modelled and executed, folded side by side."""

    def __init__(self, setup: RunSetup) -> None:
        self._setup = setup
        self._modelled, self._executed = ModelledOrders(setup), ExecutedOrders(setup)
        self._slots, self._bars = SlotHistory(setup), ClosedBars()
        self._rules = dict(setup.rules)
        self._at_ms = self._now_ms = 0
        self._pending: list[JournalEntry] = []

    def add(self, entry: JournalEntry) -> None:
        """Take the next entry; one that a crash cut off has no effects.

        What the venue executed counts once the bars of that time are there: the model cannot know
        it earlier.
        """
        event, effects = entry.event, entry.effects
        self._at_ms = max(self._at_ms, entry.at_ms)
        self._pending.append(entry)
        if isinstance(event, BarsClosed) and self._bars.add(entry):
            for executed in self._pending:
                self._executed.add(executed)
            self._pending.clear()
            self._now_ms = max(self._now_ms, event.ts_ms)
            decided = effects[0] if effects and isinstance(effects[0], DecisionMade) else None
            self._modelled.close(event, self._at_ms, decided)
        by_person = isinstance(event, CommandGiven | BarsClosed)
        for effect in effects:
            self._apply(effect, by_person)
        for change in self._slots.add(event, effects):
            for lane, slot in change.after.items():
                horizon_ms = 0 if slot.ensemble is None else slot.ensemble.horizon_ms
                self._modelled.set_horizon(lane, horizon_ms)

    def _apply(self, effect: Effect, by_person: bool) -> None:
        """Let the model follow what the run decided.

        by_person : a cancel was not the venue's doing, which the model does not follow.
        """
        match effect:
            case SubmitOrder(kind="entry"):
                self._modelled.enter(effect, self._at_ms)
            case SubmitOrder(kind="exit", reason=reason) if reason in FORCED:
                self._modelled.sell(effect.instrument, reason, self._at_ms)
            case CancelOrder(client_id=client_id, instrument=lane) if by_person:
                self._modelled.withdraw(client_id, lane)
            case ConfigChanged(rules=rules):
                self._rules |= rules
                self._modelled.change_rules(self._rules)
            case _:
                pass

    def waterfall(self) -> Waterfall:
        """Return the waterfall of all that was added."""
        setup = self._setup
        panel = self._bars.panel_of([x.spec for x in setup.instruments[: setup.n_instruments]])
        parities: dict[int, TradeParity] = {}
        for lane, traded in enumerate(setup.instruments):
            bars = InstrumentBars(panel, lane % setup.n_instruments, traded.base_ms)
            parities[lane] = TradeParity(lane, self._modelled.params, bars)
        trades = [
            _trade(setup, sent, self._path(order), self._executed.trades.get(order, TradePath()),
                   parities[sent.order.instrument])
            for order, sent in self._executed.entries.items()
        ]  # fmt: skip
        trades.sort(key=lambda trade: (trade.quote.gap, trade.decided_ms))
        names = setup.keys
        return Waterfall(
            setup.environment,
            setup.from_ms,
            self._now_ms,
            setup.instruments[0].spec.instrument.quote,
            _scope("all", trades),
            tuple(_scope(name, (t for t in trades if t.instrument == name)) for name in names),
            tuple(trades),
        )

    def _path(self, order: str) -> TradePath:
        return self._modelled.trades.get(order, TradePath())


def _trade(
    setup: RunSetup, sent: SentEntry, modelled: TradePath, executed: TradePath, parity: TradeParity
) -> TradeWaterfall:
    units = parity.units(modelled, executed)
    notional = parity.notional_units(modelled, executed)
    paths = (modelled, executed)
    lots_m, lots_e = (path.bought_lots for path in paths)
    price_m, price_e = (_entry_ticks(path) for path in paths)
    reason_m, reason_e = (path.exit_reason if path.executions else None for path in paths)
    return TradeWaterfall(
        setup.keys[sent.order.instrument % setup.n_instruments],
        sent.order.client_id,
        sent.status,
        sent.decided_ms,
        (lots_m, lots_e),
        (price_m, price_e),
        (reason_m, reason_e),
        notional / UNITS,
        units.times(1.0 / UNITS),
        units.times(BPS / notional) if notional else None,
    )


def _entry_ticks(path: TradePath) -> float | None:
    lots = path.bought_lots
    return sum(e.lots * e.price_ticks for e in path.entries) / lots if lots else None


def _scope(name: str, trades: Iterable[TradeWaterfall]) -> ScopeWaterfall:
    found = list(trades)
    notional = sum(trade.notional_quote for trade in found)
    quote = sum((trade.quote for trade in found), Parts())
    modelled = [trade.lots[0] != 0 for trade in found]
    executed = [trade.lots[1] != 0 for trade in found]
    pairs = list(zip(modelled, executed, strict=True))
    return ScopeWaterfall(
        name,
        pairs.count((True, True)),
        pairs.count((True, False)),
        pairs.count((False, True)),
        notional,
        quote,
        quote.times(BPS / notional) if notional else None,
    )
