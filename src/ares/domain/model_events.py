"""Events and effects about models: published, promoted, retrained, compared."""

from __future__ import annotations

from typing import Literal

import msgspec

from ares.domain.model import Ensemble

Stage = Literal["empty", "shadow", "canary", "champion", "former", "withdrawn"]
"""The stage of the ensemble in a lane. ``former``: a champion that another one has replaced;
``withdrawn``: a champion taken out because its edge was lost. Only a champion and a canary trade
with money.
"""

Move = Literal["published", "canary", "promoted", "rolled_back", "withdrawn", "dismissed"]
"""What happened to an ensemble while the engine ran."""

SlotAction = Literal["promote", "rollback", "dismiss", "withdraw"]
"""``withdraw``: the registry has no champion any more; none is restored."""

Trigger = Literal["loss_immediate", "drift", "performance", "schedule", "manual"]


class ModelPublished(msgspec.Struct, frozen=True, tag=True):
    """An ensemble is ready to be served: its files were loaded, verified, warmed up and tried.

    instrument   : row of the instrument, below ``RunSetup.n_instruments``.
    stage        : shadow: it challenges the champion; champion: it replaces the champion at once.
    refit        : the champion's own recipe on newer data.
    verdict_hash : of the verdict that accepted it; empty: no verdict, and it stays in the shadow.
    from_registry : it is the champion of the environment by the registry, see ``core.take_over``.
    expected     : hash of the champion that it was published for, or its first digits; empty: any.
    """

    ts_ms: int
    instrument: int
    ensemble: Ensemble
    stage: Literal["shadow", "champion"]
    refit: bool
    verdict_hash: str
    who: str
    reason: str
    from_registry: bool = False
    expected: str = ""


class ModelRefused(msgspec.Struct, frozen=True, tag=True):
    """A published ensemble could not be served; the slots did not change."""

    ts_ms: int
    instrument: int
    ensemble_hash: str
    reason: str


class SlotChangeRequested(msgspec.Struct, frozen=True, tag=True):
    """A person requests a change of an instrument's slots."""

    ts_ms: int
    instrument: int
    action: SlotAction
    who: str
    reason: str


class DriftMeasured(msgspec.Struct, frozen=True, tag=True):
    """The learner compared recent rows with the rows that the champion was trained on.

    score : PSI / (PSI + 0.1) of the features, weighted by their importance.
    feature : the one that moved most.
    error_before, error_after : the model's mean error before and after the change that ADWIN
              detected; equal where it detected none.
    """

    ts_ms: int
    instrument: int
    score: float
    feature: str
    error_before: float
    error_after: float
    changed: bool


class RetrainingStarted(msgspec.Struct, frozen=True, tag=True):
    """The learner began a training for an instrument; ``reason`` explains the trigger."""

    ts_ms: int
    instrument: int
    trigger: Trigger
    reason: str


class RetrainingEnded(msgspec.Struct, frozen=True, tag=True):
    """A retraining ended with ``outcome``.

    triggered_ms : when it began.
    duration_ms  : of virtual time in a history run.
    rows         : labelled bars that it was fitted on, over all members.
    confidence   : mode confidence from its own validation, before any discount.
    failed       : checks of the verdict that failed.
    epochs       : the most epochs that a member's fit took.
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
    """A person should look: ``value`` has passed ``limit``."""

    ts_ms: int
    instrument: int
    code: str
    value: float
    limit: float
    message: str


class TrainingRequested(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: a person requests a training of an instrument's models now, from the learner."""

    instrument: int
    ts_ms: int
    who: str


class SlotChanged(msgspec.Struct, frozen=True, tag=True):
    """Fact: the slots of an instrument changed; the fields describe them after the change.

    ensemble_hash : of the ensemble that moved.
    lane_hashes   : of the ensembles in the instrument's lanes; empty: none.
    stages        : of the same.
    previous_hash : of the champion that a rollback would restore; empty: none.
    """

    instrument: int
    ts_ms: int
    move: Move
    ensemble_hash: str
    lane_hashes: tuple[str, ...]
    stages: tuple[Stage, ...]
    previous_hash: str
    who: str
    reason: str


class SlotChangeRefused(msgspec.Struct, frozen=True, tag=True):
    """Fact: a published ensemble or a requested change was refused; nothing changed."""

    instrument: int
    ts_ms: int
    ensemble_hash: str
    reason: str


class ArmsCompared(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact, once a day and whenever slots change: champion and challenger since ``since_ms``.

    champion_bps, challenger_bps : net result of one unit of notional, open trades at their
                   present value, real and virtual trades alike.
    e_better, e_worse : e-values: anytime-valid evidence that the challenger is better, or worse.
    """

    instrument: int
    ts_ms: int
    since_ms: int
    champion_bps: float
    challenger_bps: float
    steps: int
    e_better: float
    e_worse: float
