"""The orders of a run by the kernel's fill model: what a backtest makes of the same decisions.

Entries, and what people sell, are taken from the journal. Fills, stops and exits of the position
that follows are the kernel's own, on the journaled bars and edges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ares.core.facts import KIND_NAMES
from ares.core.initial_state import rules_of, traded_of
from ares.domain.events import BarsClosed, DecisionMade
from ares.domain.order_events import SubmitOrder
from ares.domain.run import RunSetup
from ares.kernel.jit import bind
from ares.kernel.live import OUT_BARRIER, OUT_EDGE, OUT_P, OUT_ROWS, apply_now
from ares.kernel.trade import Signals, first_state, new_records, to_grid, trade_params
from ares.kernel.trade.account import want_exit
from ares.kernel.trade.arrays import Prices, TickBar
from ares.kernel.trade.decide import trade_step
from ares.kernel.trade.fill import venue_accept, venue_cancel_stop, venue_open, venue_range
from ares.kernel.trade.layout import (
    ENTRY,
    EXIT,
    HOLD_ALL,
    HOLD_ENTRIES,
    N_FILLS,
    N_REQUESTS,
    REASON_NAMES,
    STOP,
)
from ares.kernel.trade.scan import log_room
from ares.runtime.replay.trade_path import TradeExecution, TradePath


class ModelledOrders:
    """The account that trades the run's entries by the fill model; ``trades`` by entry order.

    Its limits and breakers decide nothing: entries are those of the run.
    """

    def __init__(self, setup: RunSetup) -> None:
        traded = traded_of(setup)
        n = len(traded)
        self._n, self._setup = setup.n_instruments, setup
        self._base_ms = [lane.base_ms for lane in setup.instruments]
        self.params = trade_params(rules_of(setup.rules), traded)
        self._state = first_state(traded, setup.cash_quote, self.params)
        self._records = new_records(log_room(n))
        self._ticks = np.zeros((4, 1, n), np.int64)
        self._volume = [0] * n
        self._signals = Signals(*(np.full((1, n), np.nan) for _ in range(3)))
        self._prices = Prices(self._ticks[0], self._ticks[2], self._ticks[3])
        self._sent_ms = [[0, 0] for _ in range(n)]  # of the entry or exit, and of the stop
        self._trade: list[TradePath | None] = [None] * n
        self.trades: dict[str, TradePath] = {}
        bar, venue = TickBar(0, 0, 0, 0), self._state.venue
        fill_types = (0, bar, 0, venue, self.params, self._records)
        self._fill_open, self._fill_range = (
            bind(venue_open, *fill_types),
            bind(venue_range, *fill_types),
        )
        self._apply = bind(apply_now, 0, self._state, self.params, self._records)
        self._step = bind(
            trade_step, 0, 0, self._prices, self._signals, self._state, self.params, self._records
        )
        self.change_rules(setup.rules)

    def change_rules(self, rules: Mapping[str, float]) -> None:
        """Take the rules in force, without those that could sell what the run has not sold."""
        self.params.rules[:] = rules_of(rules).record()
        self.params.rules["drawdown_max"] = 0.0
        self.params.rules["close_on_drawdown"] = 0

    def set_horizon(self, lane: int, horizon_ms: int) -> None:
        """Set the longest holding time of a lane, which changes with its ensemble."""
        self.params.specs[lane]["horizon_ms"] = horizon_ms

    def enter(self, order: SubmitOrder, at_ms: int) -> None:
        """Take an entry of the run, unless the lane still holds, or waits for, another trade."""
        lane = order.instrument
        book, venue = self._state.book[lane], self._state.venue[lane]
        if int(book["position_lots"]) or int(venue["market_lots"]):
            return
        book["entry_p"], book["entry_edge_bps"] = order.p, order.edge_bps
        book["entry_barrier_bps"], book["expected_ticks"] = order.barrier_bps, order.expected_ticks
        book["entry_open_lots"] = order.lots
        venue_accept(lane, ENTRY, order.lots, order.price_ticks, self._state.venue)
        self._sent_ms[lane][0] = at_ms
        self._trade[lane] = self.trades[order.client_id] = TradePath()

    def withdraw(self, client_id: str, lane: int) -> None:
        """Cancel an entry that is still to be filled, as a person has."""
        trade = self._trade[lane]
        if trade is None or trade is not self.trades.get(client_id):
            return
        if int(self._state.venue[lane]["market_kind"]) == ENTRY:
            self._state.venue[lane]["market_lots"] = 0
            self._state.book[lane]["entry_open_lots"] = 0

    def sell(self, lane: int, reason: str, at_ms: int) -> None:
        """Sell what a lane holds, as a person or the drawdown breaker had it sold."""
        book = self._state.book[lane]
        if int(book["position_lots"]) and not int(book["exit_reason"]):
            want_exit(lane, REASON_NAMES.index(reason), self._state)
            self._exit(lane, at_ms)

    def close(self, event: BarsClosed, at_ms: int, decided: DecisionMade | None) -> None:
        """Take the bars of a closing instant: fills within them, then exits, where it decides."""
        if event.kind == "warm" or not any(map(self._is_busy, range(len(self._base_ms)))):
            return
        self._load(event)
        for lane in range(len(self._base_ms)):
            if self._ticks[3, 0, lane] > 0 and self._is_busy(lane):
                self._fill(lane, event, at_ms)
        if decided is not None:
            self._decide(event, at_ms, decided)

    def _is_busy(self, lane: int) -> bool:
        venue = self._state.venue[lane]
        held = int(self._state.book[lane]["position_lots"])
        return bool(held or int(venue["market_lots"]) or int(venue["stop_lots"]))

    def _load(self, event: BarsClosed) -> None:
        ohlcv = np.frombuffer(event.ohlcv, np.float64).reshape(-1, 5)
        present = np.frombuffer(event.present, np.bool_)
        for lane, traded in enumerate(self._setup.instruments):
            i, spec = lane % self._n, traded.spec
            row = ohlcv[i] if present[i] else np.zeros(5)
            self._ticks[:, 0, lane] = to_grid(row[:4], spec.price_decimals)
            self._volume[lane] = int(to_grid(row[4:], spec.qty_decimals)[0])

    def _fill(self, lane: int, event: BarsClosed, at_ms: int) -> None:
        """Fill within a lane's bar; a late one fills nothing that was sent after it."""
        opened, _, low, close = (int(ticks) for ticks in self._ticks[:, 0, lane])
        open_ms = event.ts_ms - self._base_ms[lane]
        bar, volume = TickBar(open_ms, opened, low, close), self._volume[lane]
        venue = self._state.venue
        has_order = venue[lane]["market_lots"] and venue[lane]["market_kind"] != STOP
        for fill, k in ((self._fill_open, 0), (self._fill_range, 1)):
            sent_ms = self._sent_ms[lane][k] if k or has_order else 0
            if event.kind == "late" and sent_ms >= event.ts_ms:
                continue
            self._records.counts[N_FILLS] = 0
            fill(lane, bar, volume, venue, self.params, self._records)
            if self._records.counts[N_FILLS]:
                self._book(lane, at_ms)

    def _book(self, lane: int, at_ms: int) -> None:
        """Count the kernel's fill, and bring the resting stop to the wanted one."""
        row, trade = self._records.fills[0], self._trade[lane]
        assert trade is not None
        kind, lots = int(row["kind"]), int(row["lots"])
        book = self._state.book[lane]
        reason = REASON_NAMES[int(book["exit_reason"])] if kind == EXIT else KIND_NAMES[kind]
        if lots:
            head = (int(row["ts_ms"]), lots, int(row["price_ticks"]), int(row["fee_units"]))
            trade.executions.append(TradeExecution(*head, KIND_NAMES[kind], reason))
        self._apply(lane, self._state, self.params, self._records)
        self._rest_wanted_stop(lane, at_ms)

    def _rest_wanted_stop(self, lane: int, at_ms: int) -> None:
        book, venue = self._state.book[lane], self._state.venue
        wanted, ticks = int(book["stop_lots"]), int(book["stop_ticks"])
        resting = int(venue[lane]["stop_lots"])
        if resting == wanted and (not wanted or int(venue[lane]["stop_ticks"]) == ticks):
            return
        if resting:
            venue_cancel_stop(lane, venue)
        if wanted:
            venue_accept(lane, STOP, -wanted, ticks, venue)
            self._sent_ms[lane][1] = at_ms

    def _decide(self, event: BarsClosed, at_ms: int, decided: DecisionMade) -> None:
        """Let the kernel decide on exits; entries are taken from the run."""
        outputs = np.frombuffer(decided.outputs).reshape(OUT_ROWS, -1)
        for column, row in zip(self._signals, (OUT_P, OUT_EDGE, OUT_BARRIER), strict=True):
            column[0] = outputs[row]
        waits = event.kind == "catch_up" and not event.catch_up_ends
        self.params.rules["hold"] = HOLD_ALL if waits else HOLD_ENTRIES
        self._records.counts[:] = 0
        self._step(
            0, event.ts_ms, self._prices, self._signals, self._state, self.params, self._records
        )
        for lane in self._exits():
            self._exit(lane, at_ms)

    def _exits(self) -> Iterator[int]:
        requests = self._records.requests[: self._records.counts[N_REQUESTS]]
        return (int(row["instrument"]) for row in requests if int(row["kind"]) == EXIT)

    def _exit(self, lane: int, at_ms: int) -> None:
        """Sell a position: its stop goes first."""
        self._rest_wanted_stop(lane, at_ms)
        held = int(self._state.book[lane]["position_lots"])
        venue_accept(lane, EXIT, -held, 0, self._state.venue)
        self._sent_ms[lane][0] = at_ms
