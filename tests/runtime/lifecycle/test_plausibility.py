"""Results too good to be true are not promoted by force, and by a person's word only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest

from ares.bootstrap.lifecycle import promote, validate
from ares.config.workspace import Workspace
from ares.domain.package import sealed
from ares.learn.gate.plausible import Attestation
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.validation.verdict_file import read_verdict

if TYPE_CHECKING:
    from tests.runtime.conftest import World

DEFAULTS = {"plausible_brier_skill_max": 0.25, "plausible_sharpe_max": 8.0}
WORD = Attestation("Ada Quant", "the drift was planted by a test")


@pytest.fixture
def strict(world: World, settled: Callable[..., Workspace]) -> Workspace:
    """Return the world's workspace with the limits of the defaults; its edge is far above them."""
    return settled(world, promotion=DEFAULTS)


def test_what_is_too_good_is_refused_with_and_without_force(
    world: World, strict: Workspace
) -> None:
    """Before anybody has validated it, its own results out of sample decide."""
    (refusal,) = promote(strict, world.refit, "history", True, "rehearsal").refused
    assert "--force does not waive the line plausible: the Brier skill of" in refusal
    result, saved, _ = validate(strict, world.refit, "history")
    assert [line.name for line in result.verdict.failed] == ["plausible"]
    assert saved.record.failed == ("plausible",)
    assert (saved.record.plausible_by, saved.record.plausible_reason) == ("", "")
    (refusal,) = promote(strict, world.refit, "history", True, "rehearsal").refused
    assert f"which refused it at {saved.record.at}" in refusal
    (refusal,) = promote(strict, world.refit, "history", False, None).refused
    assert "it was refused at" in refusal
    assert world.champion() is None
    noise = promote(strict, world.noise, "history", True, "rehearsal")
    assert not any("plausible" in line for line in noise.refused)


def test_a_persons_word_is_recorded_and_lets_it_pass(world: World, strict: Workspace) -> None:
    result, saved, _ = validate(strict, world.refit, "history", attestation=WORD)
    assert result.verdict.passed
    assert result.attestation == WORD
    last = read_registry(strict.journal_dir).verdicts[-1]
    assert (last.plausible_by, last.plausible_reason) == (WORD.by, WORD.reason)
    content = read_verdict(saved.path.read_bytes(), saved.path.name)
    assert content.attestation == WORD
    assert promote(strict, world.refit, "paper", True, "rehearsal").promoted
    assert promote(strict, world.refit, "history", False, None).promoted


def test_a_word_that_is_not_needed_is_not_recorded(world: World) -> None:
    result, saved, _ = validate(world.workspace, world.refit, "history", attestation=WORD)
    assert result.verdict.passed
    assert result.attestation is None
    assert saved.record.plausible_by == ""


def test_the_results_of_rows_that_a_model_may_have_seen_decide_nothing(
    world: World, strict: Workspace
) -> None:
    package = world.package_of(world.refit)
    card = msgspec.structs.replace(package.card, files={}, origin="imported")
    imported = world.stored(sealed(card, dict(package.files)))
    assert promote(strict, imported, "history", True, "rehearsal").promoted
