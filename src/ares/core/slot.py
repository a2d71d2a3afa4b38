"""A slot: the ensemble in a lane, and its stage. Which lanes an instrument has.

A lane is a row in every array of the trade half, with its own position, virtual trade and mode
confidence. An instrument has one lane, or two: for its champion and for a challenger. Both see the
same bars. A promotion exchanges the stages and not the lanes, so that an open trade stays in the
lane in which it was opened.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ares.domain.model import Ensemble
from ares.domain.model_events import Stage
from ares.domain.run import RunSetup

TRADING_STAGES: tuple[Stage, ...] = ("champion", "canary")
"""Stages that trade with money."""

COMPARED_STAGES: tuple[Stage, ...] = ("shadow", "canary", "former")
"""Stages of a challenger that is compared with the champion."""


class Slot(msgspec.Struct, frozen=True, omit_defaults=True):
    """The ensemble in a lane.

    since_ms     : when it reached its stage.
    verdict_hash : of the verdict that accepted it; empty: it does not advance by itself.
    hash         : of its ensemble; empty: none.
    """

    ensemble: Ensemble | None = None
    stage: Stage = "empty"
    since_ms: int = 0
    refit: bool = False
    verdict_hash: str = ""
    hash: str = ""


EMPTY = Slot()


def slot_of(
    ensemble: Ensemble,
    stage: Stage,
    since_ms: int = 0,
    refit: bool = False,
    verdict_hash: str = "",
) -> Slot:
    """Return the slot of an ensemble."""
    return Slot(ensemble, stage, since_ms, refit, verdict_hash, ensemble.hash)


def first_slots(setup: RunSetup) -> list[Slot]:
    """Return the slots of all lanes before the first event."""
    slots = []
    for lane in setup.instruments:
        if lane.ensemble is None:
            slots.append(EMPTY)
        else:
            slots.append(slot_of(lane.ensemble, "champion" if lane.is_champion else "shadow"))
    return slots


def first_champion(setup: RunSetup, i: int) -> str:
    """Return the champion with which a run began for instrument ``i``; empty: none."""
    lane = setup.instruments[i]
    return lane.ensemble.hash if lane.ensemble is not None and lane.is_champion else ""


def lanes_of(setup: RunSetup, i: int) -> tuple[int, ...]:
    """Return the lanes of instrument ``i``."""
    return (i, setup.n_instruments + i) if setup.challenger_lanes else (i,)


def lane_at(slots: Sequence[Slot], lanes: Sequence[int], *stages: Stage) -> int | None:
    """Return the lane with the first of ``stages`` that one of ``lanes`` has; None: none has."""
    for stage in stages:
        for lane in lanes:
            if slots[lane].stage == stage:
                return lane
    return None


def seed_of(ensemble: Ensemble, setup: RunSetup) -> tuple[float, float, float]:
    """Return the discounted validation trades with which a posterior begins: n, mean, sd."""
    v = ensemble.validation
    trades = min(v.trades * setup.validation_discount, setup.rules["forgetting_trades"])
    return trades, v.mean_bps, v.sd_bps
