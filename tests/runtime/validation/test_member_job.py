"""Scores of a member: the walk-forward up to the end of training, the stored graph after it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from ares.bootstrap.validation import validation_config
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.package import Package
from ares.kernel.bars import Bars
from ares.kernel.ensemble import Scores
from ares.learn.gate.evidence_builder import MemberChecks
from ares.runtime.validation.member_job import MemberJob, MemberScores, score_member
from ares.runtime.validation.request import training_job

if TYPE_CHECKING:
    from tests.runtime.conftest import World

BTC = Instrument("binance", "BTC/USDT")


def scores_at(*close_ms: int, p: float) -> Scores:
    n = len(close_ms)
    return Scores(np.array(close_ms, np.int64), np.full(n, p), np.full(n, 0.01))


def member_of(world: World, *, walk: bool, checks: bool = False) -> MemberJob:
    package = world.package_of(world.first)
    job = training_job(validation_config(world.workspace), package)
    assert job.source.to_ms is not None
    return MemberJob(BTC, package, job, walk, job.source.to_ms, None, checks)


def test_the_stored_graph_takes_over_at_the_end_of_the_training() -> None:
    walked, later = scores_at(10, 20, 30, 40, p=0.25), scores_at(30, 40, p=0.75)
    member = MemberScores(walked, Bars.empty(), later, (), Bars.empty(), 1, 20, MemberChecks(), ())
    assert member.scores.close_ms.tolist() == [10, 20, 30, 40]
    assert member.scores.p.tolist() == [0.25, 0.25, 0.75, 0.75]
    assert replace(member, walked=None).scores is later


def test_a_walk_forward_and_a_stored_graph_score_the_same_later_bars(trained: World) -> None:
    walked = score_member(member_of(trained, walk=True))
    stored = score_member(member_of(trained, walk=False))
    assert stored.walked is None
    assert walked.walked is not None
    assert stored.later.p.tobytes() == walked.later.p.tobytes()
    assert len(stored.later.p) == 200
    assert stored.later.close_ms[0] > stored.train_end_ms
    assert np.isfinite(stored.later.p).all()
    assert walked.checks.not_reproduced == ()
    assert np.isnan(walked.walked.p[:100]).all()  # nothing was known yet
    assert len(walked.folds_ms) > 2


def test_a_package_that_training_again_does_not_reproduce_is_named(trained: World) -> None:
    member = member_of(trained, walk=True)
    card = msgspec.structs.replace(member.package.card, gain=member.package.card.gain * 1.01)
    other = replace(member, package=Package(card, member.package.files))
    assert score_member(other).checks.not_reproduced == (card.ref,)


def test_without_the_candles_of_its_training_they_must_be_imported(trained: World) -> None:
    member = member_of(trained, walk=True)
    gone = replace(member, job=replace(member.job, instruments=(Instrument("binance", "X/USDT"),)))
    with pytest.raises(UserError, match=r"cannot be repeated: .*: import the candles that it was"):
        score_member(gone)
