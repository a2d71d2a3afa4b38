"""An explanation of one closing instant, and the parts of it that the journal alone gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ares.domain.errors import UserError
from ares.domain.events import BarsClosed, Effect, Event, SignalRefused, TradeClosed
from ares.domain.instrument import is_called
from ares.domain.order_events import OrderAccepted, OrderEnded, SubmitOrder
from ares.domain.run import RunSetup
from ares.journal.run import JournalEntry, JournalReader, journaled_now
from ares.kernel.live import OUT_EDGE


@dataclass(frozen=True, slots=True)
class TimeframeVote:
    """The score of one timeframe.

    features : (name, value, effect) of those with the largest effect: how much the probability
               falls when the feature takes its median of the run so far.
    """

    timeframe: str
    weight: float
    p: float | None
    closed_ms: int
    fresh: bool
    features: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation; units as named, money in quote currency."""

    environment: str
    instrument: str
    closing_ms: int
    seq: int
    bar: dict[str, float]
    flat: bool
    votes: tuple[TimeframeVote, ...]
    p: float | None
    edge_bps: float | None
    edge_bps_min: float
    barrier_bps: float | None
    mode: str
    mode_confidence: float
    slot: str
    action: str
    sentence: str
    limits: dict[str, Any]
    facts: tuple[dict[str, Any], ...]


def row_of(setup: RunSetup, instrument: str) -> int:
    """Return the row of an instrument (key or symbol); UserError where the run has none."""
    for i, lane in enumerate(setup.instruments[: setup.n_instruments]):
        if is_called(lane.spec.instrument.key, instrument):
            return i
    known = ", ".join(lane.spec.instrument.key for lane in setup.instruments[: setup.n_instruments])
    raise UserError(f"'{instrument}' is not in {setup.environment}: it has {known}")


def target_of(
    journaled: JournalReader, i: int, at_ms: int | None, name: str
) -> tuple[JournalEntry, tuple[JournalEntry, ...]]:
    """Return the newest decision with a bar of this instrument, and the entries since the closing
    instant before it, with the venue's immediate answers to what was decided: an exit is sent when
    its stop has been cancelled.
    """
    found: JournalEntry | None = None
    since: list[JournalEntry] = []
    answers: list[JournalEntry] = []
    of_found: tuple[list[JournalEntry], list[JournalEntry]] = [], []
    answering = False
    for entry in journaled:
        event = entry.event
        if not isinstance(event, BarsClosed) or event.kind == "late":
            answering = answering and _is_answer(event)
            (answers if answering else since).append(entry)
            continue
        since, answers, before = [], [], since
        answering = True
        if event.decides and entry.effects_raw is not None and event.present[i]:
            if at_ms is not None and event.ts_ms > at_ms:
                break
            found, of_found = entry, ([*before, entry], answers)
    if found is not None:
        return found, (*of_found[0], *of_found[1])
    when = "" if at_ms is None else " at or before that time"
    raise UserError(f"the run made no decision for {name}{when}: `ares run` shows its window")


def decision_seq(folder: Path, setup: RunSetup, instrument: str, at_ms: int | None) -> int:
    """Return the seq of the decision that is to be explained; see ``target_of``."""
    i = row_of(setup, instrument)
    return target_of(journaled_now(folder), i, at_ms, instrument)[0].seq


def _is_answer(event: Event) -> bool:
    """Return whether the venue answers so at once, without another bar."""
    ended = isinstance(event, OrderEnded) and event.reason == "cancelled"
    return ended or isinstance(event, OrderAccepted)


def facts_of(since: Sequence[JournalEntry], i: int) -> tuple[Effect, ...]:
    """Return what happened to the instrument, in order."""
    effects = [effect for entry in since for effect in entry.effects]
    return tuple(e for e in effects if getattr(e, "instrument", None) == i)


def action_of(
    facts: Sequence[Effect], rules: Mapping[str, float], outputs: NDArray[np.float64]
) -> tuple[str, str] | None:
    """Return what an order, a refusal or a closed trade did, and a sentence with the reason; None:
    there was none of them.

    rules   : in force at the instant. outputs: of the lane, see ``DecisionMade``.
    """
    edge = float(outputs[OUT_EDGE])
    limit = edge_limit(rules)
    for effect in facts:
        if isinstance(effect, SubmitOrder) and effect.kind == "entry":
            return (
                "entry",
                f"an edge of {edge:+.1f} bps is above {limit}: an order was sent",
            )
        if isinstance(effect, SubmitOrder) and effect.kind == "exit":
            return "exit", f"the position is closed: {effect.reason.replace('_', ' ')}"
        if isinstance(effect, SignalRefused):
            why = effect.code.replace("_", " ")
            return (
                "refused",
                f"an edge of {edge:+.1f} bps is above {limit}, but the"
                f" order was refused ({why}): a virtual trade follows the signal",
            )
    for effect in facts:
        if isinstance(effect, TradeClosed):
            what = "virtual trade closed" if effect.virtual else "trade closed"
            reason = effect.reason.replace("_", " ")
            return what, f"closed by {reason} at {effect.net_bps:+.1f} bps net"
    return None


def edge_limit(rules: Mapping[str, float]) -> str:
    """Return the setting that an edge must exceed, with its value."""
    return f"strategy.edge_bps_min ({rules['edge_bps_min']:g})"


def readable(effect: Effect) -> dict[str, Any]:
    """Return an effect as a person reads it."""
    names = [n for n in effect.__struct_fields__ if n != "instrument"]
    return {"fact": type(effect).__name__} | {name: getattr(effect, name) for name in names}


def known(value: float) -> float | None:
    """Return a number; None for NaN."""
    return None if np.isnan(value) else float(value)
