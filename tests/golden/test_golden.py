"""Two short runs as text: what came in, what was thought and done. A change of behaviour is a diff.

Each scene is a scripted market for one or two instruments and a model that reads only the clock, so
that a person can follow every line. Floats are rounded, so that other processors agree. Where a
change is wanted, write the files again and read the diff before committing it:

    python tests/golden/test_golden.py
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from ares.core.initial_state import new_state
from ares.core.models import Scorer
from ares.core.snapshot import snapshot
from ares.domain.events import (
    BarsClosed,
    BreakerChanged,
    DailyLossReached,
    DecisionMade,
    Effect,
    Event,
    ModeChanged,
    SignalRefused,
    TradeClosed,
    VirtualTradeOpened,
)
from ares.domain.holding_events import DifferenceFound
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble, Member, Validation
from ares.domain.order_events import (
    AccountSeen,
    AskAccount,
    CancelOrder,
    EventRefused,
    HaltChanged,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    StopMissing,
    SubmitOrder,
)
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from ares.journal.run import entries
from ares.kernel.bars import F64, Bars
from ares.kernel.features import FEATURE_NAMES, FEATURES_HASH, WARMUP_BARS
from ares.kernel.trade import Rules
from ares.runtime.engine.bar_panel import panel_of
from ares.runtime.engine.code_version import code_hashes
from ares.runtime.engine.history_run import run_history
from ares.runtime.engine.plan import RunPlan
from ares.runtime.replay.certify import certify
from ares.runtime.replay.restep import restep

HERE = Path(__file__).parent
MIDNIGHT_MS = 1_704_153_600_000  # 2024-01-02
ENTER, LEAVE = 0.9, 0.1
"""Probabilities: with a barrier of 100 bps and gain = loss = 1, edges of +80 and -80 bps."""

Bar = tuple[float, float, float, float, float]
Script = Mapping[int, Bar]
"""Bars by minute of trading; between two of them the price stands at the last close, 100 lots."""


@dataclass(frozen=True)
class Part:
    """One instrument of a scene: its bars and what its model says, by minute of trading."""

    symbol: str
    bars: Script
    p_at: Mapping[int, float]
    validation: Validation
    horizon_bars: int = 10


@dataclass(frozen=True)
class Scene:
    """A market, its rules, and when trading begins and ends."""

    parts: tuple[Part, ...]
    rules: Rules
    from_ms: int
    minutes: int


SURE, UNSURE = Validation(400, 20.0, 50.0), Validation()

ORDERS = Scene(
    from_ms=MIDNIGHT_MS + 8 * 60 * MINUTE_MS,
    minutes=47,
    rules=Rules(
        position_max=0.10,
        participation_max=0.10,
        risk_per_trade=1.0,
        volatility_target=0.0,
        daily_loss_max=0.0,
        drawdown_max=0.0,
        win_rate_min=0.0,
        failures_max=0,
        failed_share_max=0.0,
        slippage_sd_max=0.0,
        volatility_ratio_max=0.0,
        forgetting_trades=10.0,
        trading_threshold=0.62,
        hysteresis=0.05,
    ),
    parts=(
        Part(
            "AAA/USDT",
            p_at={
                1: ENTER,
                10: ENTER,
                15: ENTER,
                18: LEAVE,
                19: LEAVE,
                24: ENTER,
                26: ENTER,
                28: ENTER,
                41: ENTER,
            },
            bars={
                0: (100.0, 100.0, 100.0, 100.0, 5000.0),
                2: (100.02, 100.30, 100.00, 100.25, 5000.0),  # entry
                4: (100.25, 101.20, 100.25, 101.10, 5000.0),  # the close takes the profit
                5: (101.15, 101.15, 100.50, 100.60, 5000.0),  # exit
                11: (100.60, 100.70, 100.40, 100.50, 5000.0),
                12: (100.50, 100.50, 99.40, 99.70, 5000.0),  # the low hits the stop
                16: (99.70, 99.90, 99.60, 99.80, 60.0),  # thin: part of the entry, the rest dropped
                19: (99.90, 99.90, 99.80, 99.85, 25.0),  # thin: the exit takes three bars
                20: (99.85, 99.90, 99.80, 99.90, 0.0),
                21: (99.90, 99.95, 99.85, 99.90, 20.0),
                22: (99.90, 99.95, 99.85, 99.90, 5000.0),
                25: (105.20, 105.20, 99.80, 100.00, 5000.0),  # opens beyond the collar
                27: (100.00, 100.00, 100.00, 100.00, 0.0),  # nobody trades
                29: (100.00, 100.10, 99.90, 100.00, 5000.0),  # entry, left by the clock
                42: (100.00, 100.10, 99.95, 100.05, 5000.0),
                44: (97.50, 98.00, 97.00, 97.80, 5000.0),  # opens below the stop
            },
            validation=SURE,
        ),
        Part(
            "BBB/USDT",
            p_at={1: ENTER, 9: ENTER, 17: ENTER, 25: ENTER, 33: ENTER},
            bars={
                0: (50.0, 50.0, 50.0, 50.0, 5000.0),
                3: (50.0, 50.9, 50.0, 50.8, 5000.0),  # virtual trades learn that it works
                4: (50.8, 50.8, 50.2, 50.2, 5000.0),
                11: (50.2, 51.0, 50.2, 50.9, 5000.0),
                12: (50.9, 50.9, 50.4, 50.4, 5000.0),
                19: (50.4, 51.2, 50.4, 51.1, 5000.0),
                20: (51.1, 51.1, 50.6, 50.6, 5000.0),
                27: (50.6, 51.4, 50.6, 51.3, 5000.0),
                28: (51.3, 51.3, 50.8, 50.8, 5000.0),
                35: (50.8, 50.8, 50.0, 50.1, 5000.0),
            },
            validation=UNSURE,
        ),
    ),
)


def losing(minutes: list[int]) -> tuple[dict[int, Bar], dict[int, float]]:
    """Return bars and words of trades that enter at these minutes and are stopped two later."""
    bars: dict[int, Bar] = {0: (100.0, 100.0, 100.0, 100.0, 5000.0)}
    for t in minutes:
        bars[t + 2] = (100.0, 100.0, 98.5, 98.6, 5000.0)
        bars[t + 3] = (100.0, 100.0, 100.0, 100.0, 5000.0)
    return bars, dict.fromkeys(minutes, ENTER)


def breakers() -> Scene:
    """Return a scene of losses, of what stops them, and of the way back."""
    bars, p_at = losing([1, 6, 11, 16, 30, 44, 52])
    bars[46] = (100.0, 102.0, 100.0, 101.5, 5000.0)  # the trial that wins
    bars[47] = (101.5, 101.5, 101.5, 101.5, 5000.0)
    bars[48] = (100.0, 100.0, 100.0, 100.0, 5000.0)
    bars[54] = (100.0, 102.0, 100.0, 101.5, 5000.0)
    return Scene(
        from_ms=MIDNIGHT_MS + DAY_MS - 22 * MINUTE_MS,
        minutes=58,
        rules=Rules(
            position_max=0.30, risk_per_trade=1.0, volatility_target=0.0, drawdown_max=0.0,
            daily_loss_max=0.007, win_rate_min=0.5, win_rate_trades=2, cooldown_minutes=12.0,
            trial_trades=1, failures_max=0, failed_share_max=0.0, slippage_sd_max=0.0,
            volatility_ratio_max=0.0, gate_mode=False,
        ),
        parts=(Part("AAA/USDT", bars, p_at, SURE),),
    )  # fmt: skip


SCENES = {"orders": ORDERS, "breakers": breakers()}


@pytest.mark.parametrize("name", SCENES)
def test_the_scene_is_what_it_was(name: str, tmp_path: Path) -> None:
    wanted = (HERE / f"{name}.txt").read_text()
    assert "\n".join(lines_of(SCENES[name], tmp_path)) + "\n" == wanted


@pytest.mark.parametrize("name", SCENES)
def test_the_scene_is_stepped_again_and_certified(name: str, tmp_path: Path) -> None:
    scene = SCENES[name]
    run_history(plan_of(scene), models_of(scene), tmp_path, None)
    assert restep(tmp_path, models_of(scene)).mismatches == 0
    assert certify(tmp_path, models_of(scene)).mismatches == 0


def lines_of(scene: Scene, folder: Path) -> Iterator[str]:
    """Run a scene and yield its lines."""
    run_history(plan_of(scene), models_of(scene), folder, None)
    symbols = [part.symbol.partition("/")[0] for part in scene.parts]
    numbers: dict[str, int] = {}
    rest: dict[str, int] = {}
    for entry in entries(folder):
        if isinstance(entry.event, BarsClosed) and not entry.event.decides:
            continue
        for what in (entry.event, *entry.effects):
            if isinstance(what, SubmitOrder):
                numbers[what.client_id] = len(numbers) + 1
                rest[what.client_id] = what.lots
            if isinstance(what, OrderFilled):
                rest[what.client_id] -= what.lots
            yield from line(what, symbols, numbers, rest)


def line(
    what: Event | Effect, symbols: list[str], numbers: dict[str, int], rest: dict[str, int]
) -> Iterator[str]:
    """Yield an event or effect in words; nothing for what repeats another line.

    rest : lots of each order still to fill.
    """
    match what:
        case BarsClosed(ts_ms=ts_ms, ohlcv=ohlcv, present=present):
            rows = np.frombuffer(ohlcv).reshape(-1, 5)
            cells = (
                f"{symbol} {o:.2f} {h:.2f} {low:.2f} {c:.2f} v {v:g}"
                for symbol, (o, h, low, c, v), here in zip(symbols, rows, present, strict=True)
                if here
            )
            yield f"{clock(ts_ms)} bars      " + " | ".join(cells)
        case DecisionMade(outputs=raw, equity_units=equity, cash_units=cash):
            p, edge, width, confidence, mode = np.frombuffer(raw).reshape(5, -1)
            views = (
                f"{symbol} p {p[i]:.3f} edge {edge[i]:+.1f}"
                f" width {width[i]:.0f} {'TRADING' if mode[i] else 'LEARNING'} {confidence[i]:.4f}"
                for i, symbol in enumerate(symbols)
            )
            yield f"      decided   {' | '.join(views)} | equity {money(equity)} cash {money(cash)}"
        case SubmitOrder(instrument=i, kind=kind, lots=lots, price_ticks=ticks, reason=reason):
            at = f" at {ticks / 100:.2f}" if ticks else ""
            head = f"#{numbers[what.client_id]} {symbols[i]} {kind} {lots / 1000:+.3f}{at}"
            yield f"      submit    {head} ({reason})"
        case CancelOrder():
            yield f"      cancel    #{numbers[what.client_id]}"
        case SignalRefused(instrument=i, code=code, edge_bps=edge):
            yield f"      refused   {symbols[i]} {code}, edge {edge:+.1f}"
        case VirtualTradeOpened(instrument=i, code=code):
            yield f"      virtual   {symbols[i]} opened ({code})"
        case TradeClosed(instrument=i, virtual=virtual):
            kind = "virtual" if virtual else f"{what.lots / 1000:.3f}"
            prices = f"{what.entry_price / 100:.4f} to {what.exit_price / 100:.4f}"
            gain = "" if virtual else f" pnl {money(what.pnl_units)} fees {money(what.fees_units)}"
            yield (
                f"      closed    {symbols[i]} {kind} {clock(what.entry_ms)}-{clock(what.exit_ms)}"
                f" {prices} net {what.net_bps:+.2f} bps{gain} ({what.reason})"
                f" confidence {what.mode_confidence:.4f}"
            )
        case ModeChanged(instrument=i, before=before, after=after, mode_confidence=confidence):
            yield f"      mode      {symbols[i]} {before} to {after} at {confidence:.4f}"
        case BreakerChanged(instrument=i, breaker=name, before=before, after=after, value=value):
            where = "account" if i < 0 else symbols[i]
            yield f"      breaker   {where} {name} {before} to {after} at {value:.3f}"
        case DailyLossReached(share=share):
            yield f"      day       lost {share:.4%}: no entries until tomorrow"
        case OrderAccepted(client_id=client_id):
            yield f"      accepted  #{numbers[client_id]}"
        case OrderEnded(reason="cancelled", client_id=client_id):
            yield f"      cancelled #{numbers[client_id]}"
        case OrderEnded(reason="expired", client_id=client_id):
            yield f"      expired   #{numbers[client_id]}"
        case OrderEnded(client_id=client_id, ts_ms=ts_ms, price_ticks=ticks):
            yield f"{clock(ts_ms)} rejected  #{numbers[client_id]} at {ticks / 100:.2f}"
        case OrderFilled(client_id=client_id, ts_ms=ts_ms, lots=lots, price_ticks=ticks):
            left = f" rest {rest[client_id] / 1000:+.3f}" if rest[client_id] else ""
            yield (
                f"{clock(ts_ms)} filled    #{numbers[client_id]} {lots / 1000:+.3f} at"
                f" {ticks / 100:.2f} fee {money(what.fee_units)}{left}"
            )
        case HaltChanged(instrument=i, halted=halted, reason=reason):
            where = "account" if i < 0 else symbols[i]
            yield f"      {'halted   ' if halted else 'resumed  '} {where} ({reason})"
        case AskAccount():
            yield "      ask       account"
        case AccountSeen(lots=held, open_ids=open_ids):
            amounts = " | ".join(
                f"{symbol} {lots / 1000:.3f}" for symbol, lots in zip(symbols, held, strict=True)
            )
            listed = ", ".join(f"#{numbers[id_]}" for id_ in open_ids) or "none"
            yield f"      account   {amounts} | open orders: {listed}"
        case DifferenceFound() | EventRefused() | StopMissing():
            yield f"      {type(what).__name__} {what}"
        case _:
            return


def clock(ts_ms: int) -> str:
    return datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%H:%M")


def money(units: int) -> str:
    """Return an amount to the last unit: it is an integer, and must not change by one."""
    sign = "-" if units < 0 else ""
    return f"{sign}{abs(units) // 10**8}.{abs(units) % 10**8:08d}"


def plan_of(scene: Scene) -> RunPlan:
    """Return the scene as a plan: enough quiet minutes to warm the features, then the script."""
    specs = [InstrumentSpec(Instrument("test", part.symbol), 2, 3, 5.0) for part in scene.parts]
    instruments = tuple(
        RunInstrument(spec, MINUTE_MS, ensemble_of(part, k, scene.rules), True)
        for k, (spec, part) in enumerate(zip(specs, scene.parts, strict=True))
    )
    setup = RunSetup(
        environment="history/golden", instruments=instruments, timeframes=(Timeframe.M1,),
        reference=-1, from_ms=scene.from_ms, to_ms=scene.from_ms + scene.minutes * MINUTE_MS,
        warm_ms=scene.from_ms - (WARMUP_BARS + 20) * MINUTE_MS, cash_quote=10_000.0,
        rules={name: float(getattr(scene.rules, name)) for name in Rules.__slots__},
        validation_discount=0.25, hashes=code_hashes(),
    )  # fmt: skip
    bars = [bars_of(part, scene) for part in scene.parts]
    state = new_state(setup)
    first = hashlib.sha256(snapshot(state)).hexdigest()
    state.setup = msgspec.structs.replace(setup, first_state=first)
    return RunPlan(state.setup, panel_of(bars, [MINUTE_MS] * len(bars), specs), state)


def bars_of(part: Part, scene: Scene) -> Bars:
    """Return quiet bars at the script's first price, then the script."""
    quiet = WARMUP_BARS + 20
    first = part.bars[0][0]
    rows: list[Bar] = [(first, first, first, first, 100.0)] * quiet
    close = first
    for t in range(scene.minutes):
        rows.append(part.bars.get(t, (close, close, close, close, 5000.0)))
        close = rows[-1][3]
    ts_ms = scene.from_ms + MINUTE_MS * np.arange(-quiet, scene.minutes, dtype=np.int64)
    return Bars.make(ts_ms, *np.array(rows).T)


def ensemble_of(part: Part, place: int, rules: Rules) -> Ensemble:
    member = Member(Timeframe.M1, f"clock-{place}", "1", f"clock-{place}", 1.0)
    return Ensemble(
        instrument=f"test:{part.symbol}", members=(member,), anchor=Timeframe.M1, platt_a=1.0,
        platt_b=0.0, horizon_bars=part.horizon_bars, width_sigmas=0.0, width_min_bps=100.0,
        gain=1.0, loss=1.0, cost_bps=rules.cost_bps, recipe_hash="r", features_hash=FEATURES_HASH,
        validation=part.validation,
    )  # fmt: skip


def models_of(scene: Scene) -> dict[str, Scorer]:
    return {f"clock-{k}": clock_model(part.p_at, scene) for k, part in enumerate(scene.parts)}


def clock_model(p_at: Mapping[int, float], scene: Scene) -> Callable[[NDArray[np.float32]], F64]:
    """Return a model that reads the time of day out of its features and says what is written."""
    sin, cos = FEATURE_NAMES.index("day_sin"), FEATURE_NAMES.index("day_cos")
    begins = scene.from_ms // MINUTE_MS % 1440

    def score(rows: NDArray[np.float32]) -> F64:
        angle = np.arctan2(rows[:, sin].astype(np.float64), rows[:, cos].astype(np.float64))
        minute = (np.rint(angle / (2 * np.pi) * 1440).astype(np.int64) - begins) % 1440
        return np.array([p_at.get(int(t), 0.5) for t in minute])

    return score


if __name__ == "__main__":
    for scene_name, scene_ in SCENES.items():
        with tempfile.TemporaryDirectory() as place:
            (HERE / f"{scene_name}.txt").write_text("\n".join(lines_of(scene_, Path(place))) + "\n")
