"""A run of one instrument with lanes for a champion and a challenger, and its journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ares.domain.events import Effect, Event, RunStarted, TradeClosed
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble
from ares.domain.run import ChallengerRules, RunInstrument, RunSetup
from ares.domain.timeframe import DAY_MS, HOUR_MS, Timeframe
from ares.journal.run import RunJournal

START_MS = 1_704_067_200_000  # 2024-01-01
RULES = ChallengerRules(DAY_MS, DAY_MS, 0.25, 0.5, 100.0, 0.05)


def ensemble_named(recipe: str) -> Ensemble:
    """Return an ensemble that its recipe tells from others."""
    return Ensemble("binance:BTC/USDT", (), Timeframe.H1, 1.0, 0.0, 12, 1.0, 10.0, 1.0, 1.0, 20.0,
                    recipe, "features")  # fmt: skip


def run_setup(champion: Ensemble | None, challenger_lanes: bool = True) -> RunSetup:
    spec = InstrumentSpec(Instrument("binance", "BTC/USDT"), 2, 3)
    lane = RunInstrument(spec, HOUR_MS, champion, is_champion=champion is not None)
    empty = RunInstrument(spec, HOUR_MS, None, is_champion=False)
    lanes = (lane, empty) if challenger_lanes else (lane,)
    return RunSetup(
        "history/made", lanes, (Timeframe.H1,), -1, START_MS, START_MS + DAY_MS, START_MS, 100.0,
        {}, 0.25, {}, challenger_lanes=challenger_lanes, challenger_rules=RULES,
    )  # fmt: skip


def trade(lane: int, net_bps: float, *, virtual: bool = False, hour: int = 1) -> TradeClosed:
    at_ms = START_MS + hour * HOUR_MS
    return TradeClosed(
        lane, virtual, at_ms - HOUR_MS, at_ms, 1.0, 1.0, 0 if virtual else 10,
        0 if virtual else 1_000, 0, net_bps, 0.6, 9.0, "signal", "allowed", 0.9,
    )  # fmt: skip


@pytest.fixture
def ensemble_of() -> Callable[[str], Ensemble]:
    """Return the maker of ensembles."""
    return ensemble_named


@pytest.fixture
def setup_of() -> Callable[..., RunSetup]:
    """Return the maker of runs."""
    return run_setup


@pytest.fixture
def trade_of() -> Callable[..., TradeClosed]:
    """Return the maker of closed trades."""
    return trade


@pytest.fixture
def journaled(tmp_path: Path) -> Callable[..., Path]:
    """Return the writer of journals: a run's setup, then events with their effects."""

    def write(setup: RunSetup, entries: Sequence[tuple[Event, list[Effect]]]) -> Path:
        folder = tmp_path / "journal" / "history" / "made"
        journal = RunJournal(folder)
        for seq, (event, effects) in enumerate([(RunStarted(setup), []), *entries], 1):
            journal.event(seq, event)
            journal.effects(seq, effects)
        journal.close()
        return folder

    return write
