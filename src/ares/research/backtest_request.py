"""A backtest request: symbols, model, window and rules, resolved and run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from ares.adapters.model_bundle import read_bundle
from ares.adapters.model_choice import choose_by_symbol, choose_model
from ares.adapters.model_store import ModelStore, StoredModels
from ares.adapters.onnx_model import open_model, within
from ares.adapters.strategy_file import load_strategy
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.domain.strategy import StrategySource
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, Bars
from ares.kernel.features.user import UserFeatures
from ares.kernel.trade import Rules, to_grid, volatility_start_ms
from ares.observe.user_features_check import require_no_leak
from ares.research.backtest import (
    BacktestResult,
    Fill,
    Size,
    baseline_rules,
    run_backtest,
    sized,
)
from ares.research.baseline_limits import BaselineLimits
from ares.research.baselines import buy_hold, sma_cross
from ares.research.market import Candles
from ares.research.signals import EnsembleMembers, HistoryOf, SeriesOf, ensemble_strategy
from ares.research.strategy import Strategy
from ares.research.user_strategy import strategy_rule
from ares.research.window import window
from ares.store.candles import CandleStore
from ares.store.history import base_bars, filled_bars, history

Baseline = Literal["buy_hold", "sma_cross"]
OnDrawdown = Literal["hold", "close"]

BASELINES: tuple[Baseline, ...] = ("buy_hold", "sma_cross")
FILLS: tuple[Fill, ...] = ("next_open", "close")
ON_DRAWDOWN: tuple[OnDrawdown, ...] = ("hold", "close")


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """What to backtest; None: as in the settings.

    symbols  : symbols or keys; empty: those of the model, else of the settings.
    model    : a package (``name``, ``name/version``, ``name@version``), an ensemble (a prefix
               of its hash), or an exported file or folder; None: champion, else newest judged, else
               newest with enough rows.
    strategy : a strategy of the user's own as a rule: long while its score is above 0.
    baseline : a rule instead of a model; fast, slow, timeframe are those of ``sma_cross``.
    fee_bps, spread_bps, slippage_bps : of the notional of a fill; spread is the full spread.
    size     : units of the base currency; ``all`` cash; ``risk``: as large as loses the settings'
               share of equity at the stop. None: by risk, a baseline by equal shares.
    gate     : True: trade in mode TRADING only, as the engine does.
    edge_bps_min : expected net return that an entry needs.
    stop_bps : distance of stop and take-profit from the entry; 0: no stops.
    position_max, daily_loss_max, drawdown_max : shares of equity; 0 switches a limit off.
    on_drawdown : what drawdown_max does: hold: no entries, positions stay; close: all is sold too.
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
    size: Size | None = None
    gate: bool = False
    edge_bps_min: float | None = None
    stop_bps: float | None = None
    position_max: float | None = None
    daily_loss_max: float | None = None
    drawdown_max: float | None = None
    on_drawdown: OnDrawdown | None = None
    strategy: StrategySource | None = None

    @property
    def is_rule(self) -> bool:
        """Return whether it needs no model."""
        return self.baseline is not None or self.strategy is not None


@dataclass(frozen=True, slots=True)
class BacktestRunner:
    """The resources and defaults of backtests.

    champions : ensemble hash by instrument key, over all environments.
    rules, cash_quote, symbols, venue, validation_discount : of the settings.
    user      : user-defined features, not tested yet.
    reference : key of the instrument of the cross features, for strategies; None: none is set.
    judged     : hashes of ensembles with a verdict, preferred where there is no champion.
    out_of_use : hashes of archived ensembles, which are not used by default.
    series_of : returns the columns of external series of an instrument.
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
    judged: frozenset[str] = frozenset()
    reference: str | None = None

    def run(self, request: BacktestRequest) -> BacktestResult:
        """Return the result of a request; raise UserError where it cannot be run."""
        named = self._named(request.model) if request.model else None
        instruments, left_out = self._instruments(request, named)
        ensembles: dict[Instrument, EnsembleMembers] = {}
        if not request.is_rule:
            ensembles, without = self._ensembles(instruments, named)
            left_out += without
            instruments = [each for each in instruments if each in ensembles]
        from_ms, to_ms = window(
            self.store, instruments, request.from_ms, request.to_ms, request.days
        )
        candles = [self._candles(each, from_ms, to_ms) for each in instruments]
        user = self.user if request.strategy is None else load_strategy(request.strategy).columns
        require_no_leak(user, self.store, instruments, {c.timeframe for c in candles}, to_ms)
        rules = self._rules(request)
        strategy = self._strategy(request, candles, [ensembles.get(i) for i in instruments], rules)
        strategy = replace(strategy, warnings=(*strategy.warnings, *left_out))
        if strategy.kind == "baseline":
            limits = BaselineLimits(
                request.stop_bps, request.size == "risk", request.position_max,
                request.daily_loss_max, request.drawdown_max, request.on_drawdown == "close",
            )  # fmt: skip
            rules = limits.applied(baseline_rules(rules, strategy, len(candles)), request.gate)
            strategy = replace(strategy, name=f"{strategy.name}{limits}")
        decimals = max(each.spec.qty_decimals for each in candles)
        return run_backtest(
            candles,
            _with_width(strategy, request.stop_bps),
            sized(rules, request.size, decimals),
            self.cash_quote if request.cash_quote is None else request.cash_quote,
            request.fill,
        )

    def _named(self, ref: str) -> Package | Ensemble:
        """Return the package or ensemble of a reference."""
        path = Path(ref)
        if path.exists() and (path.suffix == ".zip" or path.is_dir()):
            bundle = read_bundle(path)
            return bundle.ensemble or bundle.packages[0]
        if path.suffix == ".onnx":
            raise UserError(
                f"{ref} is a graph without a package: run `ares models import {ref}` first"
            )
        choice = choose_by_symbol(self.models.listed(), ref, self.judged, self.out_of_use)
        return self.models.resolve(ref.replace("@", "/")) if choice is None else choice.ensemble

    def _instruments(
        self, request: BacktestRequest, named: Package | Ensemble | None
    ) -> tuple[list[Instrument], list[str]]:
        """Return the instruments, and a warning for each configured symbol without candles."""
        if request.symbols:
            return [self.store.resolve(name) for name in dict.fromkeys(request.symbols)], []
        if isinstance(named, Ensemble):
            return [self.store.resolve(named.instrument)], []
        if isinstance(named, Package) and named.card.scope == "instrument":
            return [self.store.resolve(name) for name in named.card.instruments], []
        found, left_out = [], []
        for symbol in self.symbols:
            try:
                found.append(self.store.resolve(f"{self.venue}:{symbol}"))
            except UserError:
                left_out.append(f"{symbol} is skipped: no candles of {self.venue} are stored")
        if not found:
            raise UserError(
                f"no candles of the configured symbols are stored ({', '.join(self.symbols)}): "
                "run `ares data import PATH`, or name another symbol with -s"
            )
        return found, left_out

    def _ensembles(
        self, instruments: Sequence[Instrument], named: Package | Ensemble | None
    ) -> tuple[dict[Instrument, EnsembleMembers], list[str]]:
        """Return the ensemble of each instrument, and a warning for each that has none."""
        found: dict[Instrument, EnsembleMembers] = {}
        left_out = []
        listed = self.models.listed() if named is None else StoredModels((), (), ())
        for instrument in instruments:
            if isinstance(named, Package):
                alone = named.alone(instrument.key, named.card.created_at)
                found[instrument] = EnsembleMembers(alone, (named,))
                continue
            ensemble = named
            key = instrument.key
            if ensemble is None and key in self.champions:
                ensemble = self.models.ensemble(self.champions[key])
            if ensemble is None:
                choice = choose_model(listed, key, self.judged, self.out_of_use)
                if choice is not None:
                    ensemble = choice.ensemble
                    left_out.append(f"{key} has no champion: the model is {choice.reason}")
            if ensemble is None:
                left_out.append(f"{key} is skipped: it has no model")
                continue
            packages = tuple(self.models.member(member) for member in ensemble.members)
            found[instrument] = EnsembleMembers(
                msgspec.structs.replace(ensemble, instrument=key), packages
            )
        if not found:
            names = ", ".join(each.key for each in instruments)
            raise UserError(
                f"there is no model for {names}: run `ares train`, or give a --baseline"
            )
        return found, left_out

    def _is_stored(self, key: str) -> bool:
        """Return whether there are candles of an instrument."""
        try:
            self.store.resolve(key)
        except UserError:
            return False
        return True

    def _candles(self, instrument: Instrument, from_ms: int, to_ms: int) -> Candles:
        timeframe, bars = base_bars(self.store, instrument, from_ms, to_ms)
        spec = self.store.spec(instrument)
        start_ms = volatility_start_ms(from_ms)
        past = filled_bars(self.store, instrument, timeframe.value, start_ms, from_ms)
        before = to_grid(past.close, spec.price_decimals)
        return Candles(spec, timeframe, bars, before).between(from_ms, to_ms)

    def _rules(self, request: BacktestRequest) -> Rules:
        """Return the rules of the settings, overridden by the request."""
        overrides = {
            name: value
            for name in (
                "fee_bps", "spread_bps", "slippage_bps", "position_max", "daily_loss_max",
                "drawdown_max",
            )
            if (value := getattr(request, name)) is not None
        }  # fmt: skip
        if overrides.get("position_max") == 0:
            overrides["position_max"] = 1.0
        if request.position_max is not None and request.size not in (None, "risk"):
            raise UserError(
                "--position-cap applies to sizing by risk only: leave out --position-cap or --size"
            )
        if (
            request.edge_bps_min is not None
        ):  # the exit threshold keeps its distance to the entry threshold
            distance = self.rules.edge_bps_min - self.rules.edge_bps_exit
            overrides["edge_bps_min"] = request.edge_bps_min
            overrides["edge_bps_exit"] = min(
                self.rules.edge_bps_exit, request.edge_bps_min - distance
            )
        if request.on_drawdown is not None:
            overrides["close_on_drawdown"] = request.on_drawdown == "close"
        stopped = self.rules.stop_enabled if request.stop_bps is None else request.stop_bps > 0
        return replace(self.rules, gate_mode=request.gate, stop_enabled=stopped, **overrides)

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
        if request.strategy is not None:
            columns, reference = load_strategy(request.strategy).columns, self.reference
            if reference is not None and not self._is_stored(reference):
                reference = None
            return strategy_rule(
                candles,
                columns,
                _strategy_name(request),
                cached_history(self.store, self.venue),
                reference,
                request.timeframe,
            )
        members = [each for each in ensembles if each is not None]
        name, kind = _name_and_kind(members)
        return ensemble_strategy(
            candles,
            members,
            cached_history(self.store, self.venue),
            scorer,
            rules.cost_bps,
            self.validation_discount,
            name,
            kind,
            self.on_progress,
            self.user,
            self.series_of,
        )


def _strategy_name(request: BacktestRequest) -> str:
    """Return a strategy with the values of its parameters, and its timeframe where one is set."""
    if request.strategy is None:
        raise ValueError("the request has no strategy")
    spec = load_strategy(request.strategy).spec
    values = " ".join(f"{name}={value}" for name, value in spec.parameters.items())
    on = "" if request.timeframe is None else f"on {request.timeframe.value}"
    return " ".join(part for part in (spec.name, values, on) if part)


def cached_history(store: CandleStore, venue: str) -> HistoryOf:
    """Return a thread-safe function that reads each history of a store once.

    venue : of a reference instrument that an older card names without its venue.
    """
    known: dict[tuple[str, Timeframe, int, int], Bars] = {}
    lock = threading.Lock()

    def read(key: str, timeframe: Timeframe, from_ms: int, to_ms: int) -> Bars:
        cache_key = (key, timeframe, from_ms, to_ms)
        with lock:
            if cache_key not in known:
                try:
                    instrument = Instrument.parse(key if ":" in key else f"{venue}:{key}")
                    known[cache_key] = history(store, instrument, timeframe, from_ms, to_ms).bars
                except UserError:
                    known[cache_key] = Bars.empty()
            return known[cache_key]

    return read


def scorer(package: Package) -> Callable[[np.ndarray], F64]:
    """Return the scoring function of a package, for the columns that its card names."""
    opened = open_model(package.graph, len(package.card.features), package.card.ref)
    return opened if package.card.origin == "trained" else within(opened)


def _name_and_kind(members: Sequence[EnsembleMembers]) -> tuple[str, str]:
    """Return the name of the models, as in `ares models list`, and their kind."""
    kind = "package" if all(len(each.packages) == 1 for each in members) else "ensemble"
    names = dict.fromkeys(
        each.packages[0].card.ref if kind == "package" else each.ensemble.hash[:12]
        for each in members
    )
    if len(names) > 1:
        return f"{len(names)} {kind}s", kind
    (name,) = names
    return name if kind == "package" else f"ensemble {name}", kind


def _with_width(strategy: Strategy, stop_bps: float | None) -> Strategy:
    """Return the strategy with the given barriers instead of its own."""
    if not stop_bps:
        return strategy
    signals = strategy.signals
    barrier_bps = np.where(np.isfinite(signals.edge_bps), stop_bps, np.nan)
    return replace(strategy, signals=signals._replace(barrier_bps=barrier_bps))
