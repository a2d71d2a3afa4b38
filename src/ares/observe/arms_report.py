"""The A/B test of a run: results of champion and challenger, read from its journal alone."""

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
    """Results of one ensemble's closed trades, real and virtual; means in net bps."""

    real_trades: int
    real_mean_bps: float | None
    virtual_trades: int
    virtual_mean_bps: float | None
    win_rate: float | None
    sd_bps: float | None


@dataclass(frozen=True, slots=True)
class Arm:
    """An ensemble in a lane: from when to when, its stages and its results.

    stages : in order of time.     until_ms : None: it is still there.
    """

    ensemble_hash: str
    stages: tuple[str, ...]
    since_ms: int
    until_ms: int | None
    ended: str
    results: TradeResults


@dataclass(frozen=True, slots=True)
class ArmComparison:
    """The newest comparison of two arms on the same bars, with one unit of notional each.

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
    """The arms of one instrument, oldest first, and the comparison of the two current ones."""

    instrument: str
    arms: tuple[Arm, ...]
    comparison: ArmComparison | None


@dataclass(slots=True)
class _Tenure:
    """The time of one ensemble in a lane."""

    ensemble_hash: str
    stages: list[str]
    since_ms: int
    trades: list[TradeClosed]
    until_ms: int | None = None
    ended: str = ""


def report_arms(folder: Path) -> tuple[ArmReport, ...]:
    """Return the arms of every instrument of a run that had an ensemble."""
    setup: RunSetup | None = None
    current: dict[int, _Tenure] = {}
    past: dict[int, list[_Tenure]] = defaultdict(list)
    compared: dict[int, ArmComparison] = {}
    for entry in entries(folder):
        if isinstance(entry.event, RunStarted):
            setup = entry.event.setup
            for lane, row in enumerate(setup.instruments):
                if row.ensemble is not None:
                    current[lane] = _first(row.ensemble, row.is_champion, setup.from_ms)
        if setup is None:
            continue
        for effect in entry.effects:
            match effect:
                case TradeClosed() if effect.instrument in current:
                    current[effect.instrument].trades.append(effect)
                case SlotChanged():
                    _move(setup, current, past, effect)
                case ArmsCompared():
                    compared[effect.instrument] = _comparison(setup, current, effect)
                case _:
                    pass
    if setup is None:
        raise UserError(f"{folder.name}: the journal is empty: run it again")
    return _reports(setup, current, past, compared)


def _first(ensemble: Ensemble, is_champion: bool, from_ms: int) -> _Tenure:
    return _Tenure(ensemble.hash, ["champion" if is_champion else "shadow"], from_ms, [])


def _move(
    setup: RunSetup,
    current: dict[int, _Tenure],
    past: dict[int, list[_Tenure]],
    fact: SlotChanged,
) -> None:
    """Apply a change of lanes: end the tenures that it ends, and begin those that it begins."""
    i = fact.instrument
    lanes = range(i, len(setup.instruments), setup.n_instruments)
    for lane, name, stage in zip(lanes, fact.lane_hashes, fact.stages, strict=True):
        tenure = current.get(lane)
        if tenure is not None and tenure.ensemble_hash != name:
            tenure.until_ms, tenure.ended = fact.ts_ms, f"{fact.move}: {fact.reason}"
            past[i].append(current.pop(lane))
            tenure = None
        if not name:
            continue
        if tenure is None:
            current[lane] = _Tenure(name, [stage], fact.ts_ms, [])
        elif tenure.stages[-1] != stage:
            tenure.stages.append(stage)


def _comparison(setup: RunSetup, current: dict[int, _Tenure], fact: ArmsCompared) -> ArmComparison:
    """Return a comparison with the hashes of the two current ensembles."""
    lanes = range(fact.instrument, len(setup.instruments), setup.n_instruments)
    present = [current[lane] for lane in lanes if lane in current]
    champion = next((tenure for tenure in present if tenure.stages[-1] == "champion"), None)
    other = next((tenure for tenure in present if tenure is not champion), None)
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
    current: dict[int, _Tenure],
    past: dict[int, list[_Tenure]],
    compared: dict[int, ArmComparison],
) -> tuple[ArmReport, ...]:
    reports = []
    for i in range(setup.n_instruments):
        lanes = range(i, len(setup.instruments), setup.n_instruments)
        present = [current[lane] for lane in lanes if lane in current]
        found = sorted([*past[i], *present], key=lambda tenure: tenure.since_ms)
        if not found:
            continue
        key = setup.instruments[i].spec.instrument.key
        reports.append(ArmReport(key, tuple(_arm(tenure) for tenure in found), compared.get(i)))
    return tuple(reports)


def _arm(tenure: _Tenure) -> Arm:
    real = [t.net_bps for t in tenure.trades if not t.virtual]
    virtual = [t.net_bps for t in tenure.trades if t.virtual]
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
        tenure.ensemble_hash,
        tuple(tenure.stages),
        tenure.since_ms,
        tenure.until_ms,
        tenure.ended,
        results,
    )
