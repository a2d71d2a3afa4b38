"""Champion and challenger of a run side by side, read from its journal alone: the A/B test."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ares.domain.errors import UserError
from ares.domain.events import RunStarted, TradeClosed
from ares.domain.model import Ensemble
from ares.domain.model_events import ArmsCompared, SlotChanged
from ares.domain.run import RunSetup
from ares.journal.run import entries


@dataclass(frozen=True, slots=True)
class TradeResults:
    """What one ensemble's closed trades came to, real and virtual apart; means in bps, net."""

    real_trades: int
    real_mean_bps: float | None
    virtual_trades: int
    virtual_mean_bps: float | None
    win_rate: float | None
    sd_bps: float | None


@dataclass(frozen=True, slots=True)
class Arm:
    """An ensemble that sat in a lane: from when to when, how far it came, and its results.

    stages : where it stood, in order.     until_ms : None: it sits there still.
    """

    ensemble_hash: str
    stages: tuple[str, ...]
    since_ms: int
    until_ms: int | None
    ended: str
    results: TradeResults


@dataclass(frozen=True, slots=True)
class ArmComparison:
    """The newest comparison of two arms on the same bars, on one unit of notional each.

    champion, challenger : hashes of the two; challenger_stage : shadow, canary, or former.
    """

    at_ms: int
    since_ms: int
    hours: int
    champion_bps: float
    challenger_bps: float
    e_better: float
    e_worse: float
    goal: float | None
    champion: str
    challenger: str
    challenger_stage: str


@dataclass(frozen=True, slots=True)
class ArmReport:
    """The arms of one instrument, oldest first, and how the two of now compare."""

    instrument: str
    arms: tuple[Arm, ...]
    comparison: ArmComparison | None


@dataclass(slots=True)
class _Seat:
    ensemble_hash: str
    stages: list[str]
    since_ms: int
    trades: list[TradeClosed]
    until_ms: int | None = None
    ended: str = ""


def report_arms(folder: Path) -> tuple[ArmReport, ...]:
    """Return the arms of every instrument of a run that had an ensemble."""
    setup: RunSetup | None = None
    seats: dict[int, _Seat] = {}
    past: dict[int, list[_Seat]] = defaultdict(list)
    compared: dict[int, ArmComparison] = {}
    for entry in entries(folder):
        if isinstance(entry.event, RunStarted):
            setup = entry.event.setup
            for lane, one in enumerate(setup.instruments):
                if one.ensemble is not None:
                    seats[lane] = _first(one.ensemble, one.is_champion, setup.from_ms)
        if setup is None:
            continue
        for effect in entry.effects:
            match effect:
                case TradeClosed() if effect.instrument in seats:
                    seats[effect.instrument].trades.append(effect)
                case SlotChanged():
                    _move(setup, seats, past, effect)
                case ArmsCompared():
                    compared[effect.instrument] = _comparison(setup, seats, effect)
                case _:
                    pass
    if setup is None:
        raise UserError(f"{folder.name}: nothing was journaled yet")
    return _reports(setup, seats, past, compared)


def _first(ensemble: Ensemble, crowned: bool, from_ms: int) -> _Seat:
    return _Seat(ensemble.hash, ["champion" if crowned else "shadow"], from_ms, [])


def _move(
    setup: RunSetup,
    seats: dict[int, _Seat],
    past: dict[int, list[_Seat]],
    fact: SlotChanged,
) -> None:
    """Let the seats be as a fact says; who is not there any more has left."""
    i = fact.instrument
    lanes = range(i, len(setup.instruments), setup.n_instruments)
    for lane, name, stage in zip(lanes, fact.lane_hashes, fact.stages, strict=True):
        seat = seats.get(lane)
        if seat is not None and seat.ensemble_hash != name:
            seat.until_ms, seat.ended = fact.ts_ms, f"{fact.move}: {fact.reason}"
            past[i].append(seats.pop(lane))
            seat = None
        if not name:
            continue
        if seat is None:
            seats[lane] = _Seat(name, [stage], fact.ts_ms, [])
        elif seat.stages[-1] != stage:
            seat.stages.append(stage)


def _comparison(setup: RunSetup, seats: dict[int, _Seat], fact: ArmsCompared) -> ArmComparison:
    """Return a comparison with the names of the two who sit there at this moment."""
    lanes = range(fact.instrument, len(setup.instruments), setup.n_instruments)
    there = [seats[lane] for lane in lanes if lane in seats]
    champion = next((one for one in there if one.stages[-1] == "champion"), None)
    other = next((one for one in there if one is not champion), None)
    return ArmComparison(
        fact.ts_ms, fact.since_ms, fact.steps, fact.champion_bps, fact.challenger_bps,
        fact.e_better, fact.e_worse,
        None if setup.challenger_rules is None else 1.0 / setup.challenger_rules.alpha_worse,
        "" if champion is None else champion.ensemble_hash,
        "" if other is None else other.ensemble_hash,
        "" if other is None else other.stages[-1],
    )  # fmt: skip


def _reports(
    setup: RunSetup,
    seats: dict[int, _Seat],
    past: dict[int, list[_Seat]],
    compared: dict[int, ArmComparison],
) -> tuple[ArmReport, ...]:
    reports = []
    for i in range(setup.n_instruments):
        lanes = range(i, len(setup.instruments), setup.n_instruments)
        there = [seats[lane] for lane in lanes if lane in seats]
        found = sorted([*past[i], *there], key=lambda seat: seat.since_ms)
        if not found:
            continue
        key = setup.instruments[i].spec.instrument.key
        reports.append(ArmReport(key, tuple(_arm(seat) for seat in found), compared.get(i)))
    return tuple(reports)


def _arm(seat: _Seat) -> Arm:
    real = [t.net_bps for t in seat.trades if not t.virtual]
    virtual = [t.net_bps for t in seat.trades if t.virtual]
    both = np.array([*real, *virtual])
    results = TradeResults(
        real_trades=len(real),
        real_mean_bps=math.fsum(real) / len(real) if real else None,
        virtual_trades=len(virtual),
        virtual_mean_bps=math.fsum(virtual) / len(virtual) if virtual else None,
        win_rate=float((both > 0.0).mean()) if len(both) else None,
        sd_bps=float(both.std(ddof=1)) if len(both) > 1 else None,
    )
    return Arm(
        seat.ensemble_hash, tuple(seat.stages), seat.since_ms, seat.until_ms, seat.ended, results
    )
