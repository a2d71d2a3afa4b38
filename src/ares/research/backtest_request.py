"""A backtest as a person asks for it: which symbols, which model, which window, which rules."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from ares.adapters.model_bundle import read_bundle
from ares.adapters.model_store import ModelStore
from ares.adapters.onnx_model import open_model, within
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, Bars
from ares.kernel.features.user import UserFeatures
from ares.kernel.trade import Rules, to_grid, volatility_start_ms
from ares.observe.own_features import require_no_leak
from ares.research.backtest import BacktestResult, Fill, baseline_rules, run_backtest, sized
from ares.research.baselines import buy_hold, sma_cross
from ares.research.market import Candles
from ares.research.signals import EnsembleMembers, HistoryOf, SeriesOf, ensemble_strategy
from ares.research.strategy import Strategy
from ares.research.window import window
from ares.store.candles import CandleStore
from ares.store.history import base_bars, filled_bars, history

Baseline = Literal["buy_hold", "sma_cross"]

BASELINES: tuple[Baseline, ...] = ("buy_hold", "sma_cross")
FILLS: tuple[Fill, ...] = ("next_open", "close")


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """What to backtest; None leaves a value to the settings.

    symbols  : symbols or keys; none: the model's own, else the settings'.
    model    : a package (``name``, ``name/version``, ``name@version``), an ensemble (the beginning
               of its hash), or an exported file or folder; None: champion, else newest candidate.
    baseline : a rule instead of a model; fast, slow, timeframe are those of ``sma_cross``.
    fee_bps, spread_bps, slippage_bps : of the notional of a fill; the spread is the full one.
    size     : units of the base currency, ``all`` cash; None: by risk, a baseline by equal shares.
    gate     : True: the mode decides what may trade, as in the engine.
    edge_bps_min : expected net return that an entry needs.
    stop_bps : 0: no stops; above: every trade has a stop (and a take-profit) so far from its entry.
    position_max, daily_loss_max, drawdown_max : shares of equity; 0 switches a limit off.
    """

    symbols: tuple[str, ...] = ()
    model: str | None = None
    baseline: Baseline | None = None
    fast_bars: int = 20
    slow_bars: int = 100
    timeframe: Timeframe | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    days: float | None = None
    fill: Fill = "next_open"
    cash_quote: float | None = None
    fee_bps: float | None = None
    spread_bps: float | None = None
    slippage_bps: float | None = None
    size: float | Literal["all"] | None = None
    gate: bool = False
    edge_bps_min: float | None = None
    stop_bps: float | None = None
    position_max: float | None = None
    daily_loss_max: float | None = None
    drawdown_max: float | None = None


@dataclass(frozen=True, slots=True)
class BacktestRunner:
    """What a workspace brings to a backtest, as values.

    champions : ensemble hash by instrument key, of the environments where there are any.
    rules, cash_quote, symbols, venue, validation_discount : of the settings.
    user      : the user's own features, not tried yet.
    out_of_use : hashes of archived ensembles: not meant where no model is named.
    series_of    : the external series of an instrument, for models that have some.
    """

    store: CandleStore
    models: ModelStore
    champions: Mapping[str, str]
    rules: Rules
    cash_quote: float
    symbols: tuple[str, ...]
    venue: str
    validation_discount: float
    user: UserFeatures | None = None
    series_of: SeriesOf = lambda _key, _specs, _close_ms: None
    on_progress: Callable[[int, int], None] = lambda _done, _total: None
    out_of_use: frozenset[str] = frozenset()

    def run(self, request: BacktestRequest) -> BacktestResult:
        """Return the result of a request; raise UserMistake where it cannot be met."""
        named = self._named(request.model) if request.model else None
        instruments, left_out = self._instruments(request, named)
        ensembles: dict[Instrument, EnsembleMembers] = {}
        if request.baseline is None:
            ensembles, without = self._ensembles(instruments, named)
            left_out += without
            instruments = [one for one in instruments if one in ensembles]
        from_ms, to_ms = window(
            self.store, instruments, request.from_ms, request.to_ms, request.days
        )
        candles = [self._candles(one, from_ms, to_ms) for one in instruments]
        require_no_leak(self.user, self.store, instruments, {c.timeframe for c in candles}, to_ms)
        rules = self._rules(request)
        strategy = self._strategy(request, candles, [ensembles.get(i) for i in instruments], rules)
        strategy = replace(strategy, warnings=(*strategy.warnings, *left_out))
        if strategy.kind == "baseline":
            rules = _asked_only(request, baseline_rules(rules, strategy, len(candles)))
        decimals = max(one.spec.qty_decimals for one in candles)
        return run_backtest(
            candles,
            _with_width(strategy, request.stop_bps),
            sized(rules, request.size, decimals),
            self.cash_quote if request.cash_quote is None else request.cash_quote,
            request.fill,
        )

    def _named(self, ref: str) -> Package | Ensemble:
        """Return the model that is meant."""
        path = Path(ref)
        if path.exists() and (path.suffix == ".zip" or path.is_dir()):
            bundle = read_bundle(path)
            return bundle.ensemble or bundle.packages[0]
        if path.suffix == ".onnx":
            raise UserError(f"{ref}: a bare graph is no package: `ares models import {ref}` first")
        return self.models.resolve(ref.replace("@", "/"))

    def _instruments(
        self, request: BacktestRequest, named: Package | Ensemble | None
    ) -> tuple[list[Instrument], list[str]]:
        """Return what is backtested, and a line for each configured symbol without candles."""
        if request.symbols:
            return [self.store.resolve(one) for one in dict.fromkeys(request.symbols)], []
        if isinstance(named, Ensemble):
            return [self.store.resolve(named.instrument)], []
        if isinstance(named, Package) and named.card.scope == "instrument":
            return [self.store.resolve(one) for one in named.card.instruments], []
        found, left_out = [], []
        for symbol in self.symbols:
            try:
                found.append(self.store.resolve(f"{self.venue}:{symbol}"))
            except UserError:
                left_out.append(f"{symbol} is left out: {self.venue} has no candles of it here")
        if not found:
            raise UserError(
                f"none of the configured symbols has candles ({', '.join(self.symbols)}): "
                "`ares data import PATH`, or name one with -s"
            )
        return found, left_out

    def _ensembles(
        self, instruments: Sequence[Instrument], named: Package | Ensemble | None
    ) -> tuple[dict[Instrument, EnsembleMembers], list[str]]:
        """Return the ensemble of each instrument, and a line for each that has none."""
        found: dict[Instrument, EnsembleMembers] = {}
        left_out = []
        for one in instruments:
            if isinstance(named, Package):
                alone = named.alone(one.key, named.card.created_at)
                found[one] = EnsembleMembers(alone, (named,))
                continue
            ensemble = named
            if ensemble is None and one.key in self.champions:
                ensemble = self.models.ensemble(self.champions[one.key])
            ensemble = ensemble or self.models.newest_candidate(one.key, without=self.out_of_use)
            if ensemble is None:
                left_out.append(f"{one.key} is left out: it has no model")
                continue
            packages = tuple(self.models.member(member) for member in ensemble.members)
            found[one] = EnsembleMembers(
                msgspec.structs.replace(ensemble, instrument=one.key), packages
            )
        if not found:
            names = ", ".join(one.key for one in instruments)
            raise UserError(
                f"there is no model for {names}: `ares train` makes some, or name a --baseline"
            )
        return found, left_out

    def _candles(self, instrument: Instrument, from_ms: int, to_ms: int) -> Candles:
        timeframe, bars = base_bars(self.store, instrument, from_ms, to_ms)
        spec = self.store.spec(instrument)
        start_ms = volatility_start_ms(from_ms)
        past = filled_bars(self.store, instrument, timeframe.value, start_ms, from_ms)
        before = to_grid(past.close, spec.price_decimals)
        return Candles(spec, timeframe, bars, before).between(from_ms, to_ms)

    def _rules(self, request: BacktestRequest) -> Rules:
        """Return the settings' rules with what the request says otherwise."""
        said = {
            name: value
            for name in (
                "fee_bps", "spread_bps", "slippage_bps", "position_max", "daily_loss_max",
                "drawdown_max",
            )
            if (value := getattr(request, name)) is not None
        }  # fmt: skip
        if said.get("position_max") == 0:
            said["position_max"] = 1.0
        if request.position_max is not None and request.size is not None:
            raise UserError("--position-cap bounds sizing by risk: leave it out, or --size")
        if request.edge_bps_min is not None:  # the way out keeps its distance below the way in
            apart = self.rules.edge_bps_min - self.rules.edge_bps_exit
            said["edge_bps_min"] = request.edge_bps_min
            said["edge_bps_exit"] = min(self.rules.edge_bps_exit, request.edge_bps_min - apart)
        stopped = self.rules.stop_enabled if request.stop_bps is None else request.stop_bps > 0
        return replace(self.rules, gate_mode=request.gate, stop_enabled=stopped, **said)

    def _strategy(
        self,
        request: BacktestRequest,
        candles: Sequence[Candles],
        ensembles: Sequence[EnsembleMembers | None],
        rules: Rules,
    ) -> Strategy:
        if request.baseline == "buy_hold":
            return buy_hold(candles)
        if request.baseline == "sma_cross":
            return sma_cross(candles, request.fast_bars, request.slow_bars, request.timeframe)
        voiced = [one for one in ensembles if one is not None]
        name, kind = _called(voiced)
        return ensemble_strategy(
            candles,
            voiced,
            remembered(self.store, self.venue),
            scorer,
            rules.cost_bps,
            self.validation_discount,
            name,
            kind,
            self.on_progress,
            self.user,
            self.series_of,
        )


def remembered(store: CandleStore, venue: str) -> HistoryOf:
    """Return histories of a store, each read once, one at a time (for use by several threads).

    venue : of a reference that an older card names without one.
    """
    known: dict[tuple[str, Timeframe, int, int], Bars] = {}
    lock = threading.Lock()

    def read(key: str, timeframe: Timeframe, from_ms: int, to_ms: int) -> Bars:
        place = (key, timeframe, from_ms, to_ms)
        with lock:
            if place not in known:
                try:
                    instrument = Instrument.parse(key if ":" in key else f"{venue}:{key}")
                    known[place] = history(store, instrument, timeframe, from_ms, to_ms).bars
                except UserError:
                    known[place] = Bars.empty()
            return known[place]

    return read


def scorer(package: Package) -> Callable[[np.ndarray], F64]:
    """Return the function of a package's graph, made for the columns that its card names."""
    opened = open_model(package.graph, len(package.card.features), package.card.ref)
    return opened if package.card.origin == "trained" else within(opened)


def _called(voiced: Sequence[EnsembleMembers]) -> tuple[str, str]:
    """Return the name of what trades, as `ares models list` shows it, and its kind."""
    kind = "package" if all(len(one.packages) == 1 for one in voiced) else "ensemble"
    names = dict.fromkeys(
        one.packages[0].card.ref if kind == "package" else one.ensemble.hash[:12] for one in voiced
    )
    if len(names) > 1:
        return f"{len(names)} {kind}s", kind
    (name,) = names
    return name if kind == "package" else f"ensemble {name}", kind


def _asked_only(request: BacktestRequest, free: Rules) -> Rules:
    """Return a baseline's rules with the limits that were asked for."""
    cap = request.position_max or 1.0
    return replace(
        free,
        position_max=min(free.position_max, cap),
        daily_loss_max=request.daily_loss_max or 0.0,
        drawdown_max=request.drawdown_max or 0.0,
        stop_enabled=bool(request.stop_bps),
        gate_mode=request.gate,
    )


def _with_width(strategy: Strategy, stop_bps: float | None) -> Strategy:
    """Return the strategy with the given barriers in place of its own."""
    if not stop_bps:
        return strategy
    signals = strategy.signals
    width = np.where(np.isfinite(signals.edge), stop_bps, np.nan)
    return replace(strategy, signals=replace(signals, width=width))
