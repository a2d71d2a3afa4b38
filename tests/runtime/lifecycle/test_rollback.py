"""Rollback: to a former champion that was validated, exists and works, or nothing changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ares.adapters.model_store import ModelStore
from ares.bootstrap.lifecycle import archive, rollback
from ares.domain.errors import UserError
from ares.runtime.registry.model_journal import read_registry

if TYPE_CHECKING:
    from tests.runtime.conftest import World


def test_rolling_back_brings_the_former_one_and_archives_the_present(world: World) -> None:
    world.let_pass(world.first)
    world.promote(world.first)
    world.let_pass(world.refit)
    world.promote(world.refit)
    outcome = rollback(world.workspace, None, None, None, "it lost money")
    (one,) = outcome.promoted
    assert outcome.archived == (world.refit,)
    assert (one.ensemble_hash, one.previous_hash) == (world.first, world.refit)
    assert (one.rolled_back, one.reason) == (True, "it lost money")
    book = read_registry(world.workspace.journal_dir)
    assert world.champion() == world.first
    assert (book.status(world.first), book.status(world.refit)) == ("production", "archived")
    world.let_pass(world.refit)
    assert "is archived" in world.promote(world.refit).refused[0]
    (refusal,) = rollback(world.workspace, "BTC/USDT", world.refit, "history").refused
    assert "is archived" in refusal
    (refusal,) = rollback(world.workspace, None, None, None).refused
    assert "no former champion" in refusal
    assert world.champion() == world.first


def test_a_rollback_goes_only_to_what_was_validated_exists_and_works(world: World) -> None:
    world.force(world.other)
    world.let_pass(world.first)
    world.promote(world.first)
    for target, message in (
        (world.other, "was never validated"),
        (world.first, "is champion in history already"),
        (world.noise, "is for binance:ETH/USDT"),
        ("deadbeef", "no model 'deadbeef'"),
    ):
        (refusal,) = rollback(world.workspace, None, target, None).refused
        assert message in refusal
        assert read_registry(world.workspace.journal_dir).refusals[-1].action == "rollback"
    assert world.champion() == world.first
    world.let_pass(world.refit)
    models = ModelStore(world.workspace.models_dir)
    member = models.ensemble(world.refit).members[0]
    (models.root / "packages" / member.name / member.version / "model.onnx").unlink()
    (refusal,) = rollback(world.workspace, None, world.refit, None).refused
    assert "model.onnx is missing" in refusal
    assert world.champion() == world.first
    with pytest.raises(UserError, match="there is no champion in paper"):
        rollback(world.workspace, None, None, "paper")
    world.force(world.first, "paper")
    with pytest.raises(UserError, match="there are several champions"):
        rollback(world.workspace, None, None, None)


@pytest.fixture
def promotion(world: World) -> World:
    """Return the world with a champion that must stay it."""
    world.let_pass(world.first)
    assert world.promote(world.first).promoted
    return world


def test_a_rollback_to_what_may_not_come_back_changes_nothing(promotion: World) -> None:
    promotion.let_pass(promotion.other)
    archive(promotion.workspace, promotion.other)
    promotion.let_pass(promotion.refit, "paper")
    for target, message in (
        (promotion.other, "is archived"),
        ("0" * 64, "no model '0000"),
        ("../../etc/passwd", "no model '../../etc/passwd'"),
        ("*", "no model '*'"),
        (promotion.refit, "was never validated: it has no passing verdict for history"),
        (promotion.first, "is champion in history already"),
    ):
        before = len(promotion.journal())
        (refusal,) = rollback(promotion.workspace, None, target, None, "test").refused
        assert message in refusal
        assert "\n" not in refusal
        assert len(promotion.journal()) == before + 1
        assert (promotion.last_refusal().action, promotion.last_refusal().target) == (
            "rollback",
            target,
        )
        assert promotion.champion() == promotion.first
