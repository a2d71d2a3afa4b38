"""What comes in and goes out about models: published, seated, retrained, compared."""

from __future__ import annotations

from typing import Literal

import msgspec

from ares.domain.model import Ensemble

Station = Literal["empty", "shadow", "canary", "champion", "former", "withdrawn"]
"""Where the ensemble of a lane stands. ``former``: a champion whose place another has taken;
``withdrawn``: one whose evidence turned. Only a champion and a canary trade with money.
"""

Move = Literal["published", "canary", "promoted", "rolled_back", "withdrawn", "dismissed"]
"""What happened to an ensemble while the engine ran."""

Trigger = Literal["loss_immediate", "drift", "performance", "schedule", "manual"]


class ModelPublished(msgspec.Struct, frozen=True, tag=True):
    """An ensemble may be served: its files were loaded, verified, warmed and tried before.

    instrument   : row of the instrument (below ``RunSetup.width``).
    station      : shadow: it challenges the champion; champion: it takes its place at once.
    refit        : the champion's own recipe on newer data.
    verdict_hash : of the verdict that let it pass; empty: none has, and it stays in the shadow.
    """

    ts_ms: int
    instrument: int
    ensemble: Ensemble
    station: Literal["shadow", "champion"]
    refit: bool
    verdict_hash: str
    who: str
    why: str


class ModelRefused(msgspec.Struct, frozen=True, tag=True):
    """A published ensemble could not be served; the slots are as they were."""

    ts_ms: int
    instrument: int
    ensemble_hash: str
    reason: str


class SlotOrdered(msgspec.Struct, frozen=True, tag=True):
    """A person moves an instrument's ensembles: the challenger on, or the champion back."""

    ts_ms: int
    instrument: int
    order: Literal["promote", "rollback", "dismiss"]
    who: str
    why: str


class DriftMeasured(msgspec.Struct, frozen=True, tag=True):
    """The learner compared what came lately with what the champion was trained on.

    score : PSI / (PSI + 0.1) of the features, by their importance.   feature : the one that
    moved most.   error_before, error_after : mean error of the model around the change that ADWIN
    found; equal where it found none.
    """

    ts_ms: int
    instrument: int
    score: float
    feature: str
    error_before: float
    error_after: float
    changed: bool


class RetrainingStarted(msgspec.Struct, frozen=True, tag=True):
    """The learner began to train for an instrument; ``reason`` says what triggered it."""

    ts_ms: int
    instrument: int
    trigger: Trigger
    reason: str


class RetrainingEnded(msgspec.Struct, frozen=True, tag=True):
    """A retraining came to its end, ``outcome`` says to which.

    triggered_ms : when it began.    duration_ms : of virtual time in a history run.
    rows         : labelled bars that it learned from, over all members.
    epochs       : of its members' fits, the most.
    confidence   : mode confidence that its own validation gives it, before any discount.
    failed       : lines of the verdict that said no.
    """

    ts_ms: int
    instrument: int
    trigger: Trigger
    triggered_ms: int
    duration_ms: int
    rows: int
    confidence: float
    ensemble_hash: str
    verdict_hash: str
    passed: bool
    failed: tuple[str, ...]
    outcome: Literal["published", "refused", "unchanged", "failed"]
    note: str = ""
    epochs: int = 0


class AlertRaised(msgspec.Struct, frozen=True, tag=True):
    """A watcher wants a person to look: ``value`` has passed ``limit``."""

    ts_ms: int
    instrument: int
    code: str
    value: float
    limit: float
    message: str


class SlotChanged(msgspec.Struct, frozen=True, tag=True):
    """Fact: an instrument's ensembles moved; its lanes as they are now.

    subject  : hash of the ensemble that moved.
    lanes    : hashes of those who sit in the instrument's lanes; empty: nobody.
    stations : where they stand.
    previous : hash of the champion that a rollback would bring back; empty: none.
    """

    instrument: int
    ts_ms: int
    move: Move
    subject: str
    lanes: tuple[str, ...]
    stations: tuple[Station, ...]
    previous: str
    who: str
    why: str


class SlotRefused(msgspec.Struct, frozen=True, tag=True):
    """Fact: an ensemble or an order for a slot was refused; nothing was changed."""

    instrument: int
    ts_ms: int
    ensemble_hash: str
    reason: str


class ArmsCompared(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact, once a day and when slots move: how champion and challenger compare since both ran.

    champion_bps, challenger_bps : net result of a unit of notional since ``since_ms``, open
                   trades at their present value, real and virtual alike.
    e_better, e_worse : anytime-valid evidence that the challenger is better, or worse.
    """

    instrument: int
    ts_ms: int
    since_ms: int
    champion_bps: float
    challenger_bps: float
    steps: int
    e_better: float
    e_worse: float
