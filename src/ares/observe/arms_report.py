"""The A/B test of a run: results of champion and challenger, read from its journal alone."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ares.core.slot import EMPTY, lanes_of
from ares.core.slot_history import SlotHistory, SlotsApplied
from ares.domain.errors import UserError
from ares.domain.events import RunStarted, TradeClosed
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
    history = SlotHistory()
    current: dict[int, _Tenure] = {}
    past: dict[int, list[_Tenure]] = defaultdict(list)
    compared: dict[int, ArmComparison] = {}
    for entry in entries(folder):
        history.on_event(entry.event)
        if isinstance(entry.event, RunStarted):
            for lane, slot in enumerate(history.slots):
                if slot.hash:
                    current[lane] = _Tenure(slot.hash, [slot.stage], history.setup.from_ms, [])
        for effect in entry.effects:
            match effect:
                case TradeClosed() if effect.instrument in current:
                    current[effect.instrument].trades.append(effect)
                case SlotChanged():
                    _apply(history.apply(effect), current, past)
                case ArmsCompared():
                    compared[effect.instrument] = _comparison(history, effect)
                case _:
                    pass
    if not history.slots:
        raise UserError(f"{folder.name}: the journal is empty: run it again")
    return _reports(history.setup, current, past, compared)


def _apply(
    change: SlotsApplied, current: dict[int, _Tenure], past: dict[int, list[_Tenure]]
) -> None:
    """Apply a change of slots: end the tenures that it ends, and begin those that it begins."""
    fact = change.fact
    for lane, slot in change.after.items():
        tenure = current.get(lane)
        if tenure is not None and tenure.ensemble_hash != slot.hash:
            tenure.until_ms, tenure.ended = fact.ts_ms, f"{fact.move}: {fact.reason}"
            past[fact.instrument].append(current.pop(lane))
            tenure = None
        if not slot.hash:
            continue
        if tenure is None:
            current[lane] = _Tenure(slot.hash, [slot.stage], fact.ts_ms, [])
        elif tenure.stages[-1] != slot.stage:
            tenure.stages.append(slot.stage)


def _comparison(history: SlotHistory, fact: ArmsCompared) -> ArmComparison:
    """Return a comparison with the hashes of the two current ensembles."""
    rules, slots = history.setup.challenger_rules, history.slots
    lanes = lanes_of(history.setup, fact.instrument)
    champion = history.champion(fact.instrument)
    other = next((slots[x] for x in lanes if x != champion and slots[x].hash), EMPTY)
    return ArmComparison(
        fact.ts_ms, fact.since_ms, fact.steps, fact.champion_bps, fact.challenger_bps,
        fact.e_better, fact.e_worse, None if rules is None else 1.0 / rules.alpha_worse,
        "" if champion is None else slots[champion].hash, other.hash,
        other.stage if other.hash else "",
    )  # fmt: skip


def _reports(
    setup: RunSetup,
    current: dict[int, _Tenure],
    past: dict[int, list[_Tenure]],
    compared: dict[int, ArmComparison],
) -> tuple[ArmReport, ...]:
    reports = []
    for i in range(setup.n_instruments):
        present = [current[lane] for lane in lanes_of(setup, i) if lane in current]
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
