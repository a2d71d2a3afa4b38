"""Who is champion: with a verdict of today, or forced with a reason."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest

from ares.adapters.model_store import ModelStore
from ares.bootstrap.lifecycle import archive, promote
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.runtime.registry.model_journal import read_registry, record

if TYPE_CHECKING:
    from tests.runtime.conftest import World

BTC = "binance:BTC/USDT"


def test_without_a_verdict_nothing_is_promoted_and_the_refusal_is_journaled(world: World) -> None:
    outcome = world.promote(world.refit)
    assert outcome.promoted == ()
    assert "no passing verdict for history: `ares models validate" in outcome.refused[0]
    assert world.champion() is None
    denied = read_registry(world.workspace.journal_dir).refusals[-1]
    assert (denied.action, denied.target, denied.environment) == ("promote", world.refit, "history")


def test_with_a_verdict_it_is_promoted_with_who_when_why_and_the_verdict(world: World) -> None:
    judged = world.let_pass(world.refit)
    when = datetime(2024, 3, 1, 9, 30, tzinfo=UTC)
    (one,) = promote(
        world.workspace, world.refit[:10], "history", False, " good ", now=lambda: when
    ).promoted
    assert one.verdict_hash == judged.verdict_hash
    assert (one.reason, one.forced, one.at) == ("good", False, "2024-03-01T09:30:00Z")
    assert one.who
    assert world.champion() == world.refit
    assert read_registry(world.workspace.journal_dir).champions("history/some-run") == {
        BTC: world.refit
    }
    assert world.champion("paper") is None
    book = read_registry(world.workspace.journal_dir)
    assert book.status(world.refit) == "production"
    assert book.status(world.first) == "candidate"
    again = world.promote(world.refit)
    assert "is champion in history already" in again.refused[0]


def test_a_refusing_verdict_and_one_for_elsewhere_do_not_help(world: World) -> None:
    world.let_pass(world.refit, "paper")
    assert "no passing verdict for history" in world.promote(world.refit).refused[0]
    world.let_pass(world.refit, passed=False)
    refusal = world.promote(world.refit).refused[0]
    assert "it was refused at now (e-value of the e-process, Deflated Sharpe ratio)" in refusal
    judged = read_registry(world.workspace.journal_dir).verdicts[-1]
    many = msgspec.structs.replace(judged, failed=tuple("abcdefg"))
    record(world.workspace.journal_dir, [many])
    assert "(a, b, c, d, e and 2 more)" in world.promote(world.refit).refused[0]
    assert read_registry(world.workspace.journal_dir).status(world.refit) == "evaluated_inferior"
    world.let_pass(world.refit)
    assert world.promote(world.refit).promoted


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"promotion": {"dsr_min": 0.99}}, "a limit of promotion.* has changed"),
        ({"promotion": {"rule": "simple"}}, "promotion.rule has changed"),
        ({"costs": {"fee_bps": 1.0}}, "costs, sizes or capital have changed"),
    ],
)
def test_a_verdict_of_other_settings_is_not_of_today(
    world: World, settled: Callable[..., Workspace], change: dict[str, object], message: str
) -> None:
    world.let_pass(world.refit)
    workspace = settled(world, **change)
    (refusal,) = promote(workspace, world.refit, "history", False, None).refused
    assert message in refusal
    assert world.champion() is None


def test_a_verdict_against_another_champion_or_fewer_trials_is_not_of_today(world: World) -> None:
    world.let_pass(world.refit)
    world.force(world.other)
    assert "another ensemble is champion since" in world.promote(world.refit).refused[0]
    world.let_pass(world.refit)
    book = read_registry(world.workspace.journal_dir)
    trial = next(t for t in book.trials if t.kind == "ensemble" and t.scope == BTC)
    record(world.workspace.journal_dir, [msgspec.structs.replace(trial, recipe_hash="new")])
    assert "more recipes were tried since" in world.promote(world.refit).refused[0]
    world.let_pass(world.refit)
    assert world.promote(world.refit).promoted[0].previous_hash == world.other


@pytest.mark.parametrize("harm", ["edited", "missing"])
def test_a_verdict_whose_file_is_not_what_was_written_does_not_count(
    world: World, harm: str
) -> None:
    judged = world.let_pass(world.refit)
    path = world.workspace.models_dir / "verdicts" / judged.file
    if harm == "edited":
        path.write_text("passed!")
    else:
        path.unlink()
    (refusal,) = world.promote(world.refit).refused
    assert ("has changed since" in refusal) or ("the verdict is missing" in refusal)
    assert world.champion() is None


@pytest.mark.parametrize("harm", ["byte", "file"])
def test_a_damaged_model_is_not_promoted_with_or_without_force(world: World, harm: str) -> None:
    world.let_pass(world.refit)
    models = ModelStore(world.workspace.models_dir)
    member = models.ensemble(world.refit).members[0]
    graph = models.root / "packages" / member.name / member.version / "model.onnx"
    if harm == "byte":
        raw = bytearray(graph.read_bytes())
        raw[-9] ^= 1
        graph.write_bytes(raw)
    else:
        graph.unlink()
    for outcome in (world.promote(world.refit), world.force(world.refit)):
        assert "model.onnx is" in outcome.refused[0]
    assert world.champion() is None


def test_force_needs_a_reason_is_recorded_and_is_refused_in_live(world: World) -> None:
    for reason in (None, "  "):
        with pytest.raises(UserError, match="needs a reason"):
            promote(world.workspace, world.refit, "history", True, reason)
    assert "--force is refused in live" in world.force(world.refit, "live").refused[0]
    assert world.champion("live") is None
    for place in ("history", "paper"):
        (one,) = world.force(world.refit, place).promoted
        assert (one.forced, one.reason, one.verdict_hash) == (True, "rehearsal", "")
    world.let_pass(world.refit, "live")
    assert world.promote(world.refit, "live").promoted
    assert read_registry(world.workspace.journal_dir).champion_in(world.refit) == [
        "history",
        "paper",
        "live",
    ]


def test_a_rehearsal_has_champions_of_its_own(world: World) -> None:
    (one,) = world.force(world.refit, "rehearsal/kraken").promoted
    assert one.environment == "rehearsal/kraken"
    registry = read_registry(world.workspace.journal_dir)
    assert registry.champion_in(world.refit) == ["rehearsal/kraken"]
    assert registry.environments == ("history", "paper", "live", "rehearsal/kraken")
    for other in ("rehearsal/binance", "live", "paper", "history/may"):
        assert not registry.champions(other)
    for wrong in ("rehearsal", "rehearsal/", "rehearsal/../live", "rehearsal/A"):
        with pytest.raises(UserError, match="unknown environment"):
            world.force(world.refit, wrong)


def test_the_newest_of_every_instrument_is_the_default(world: World) -> None:
    world.let_pass(world.other)
    outcome = world.promote(None)
    assert [one.ensemble_hash for one in outcome.promoted] == [world.other]
    assert len(outcome.refused) == 1
    assert outcome.refused[0].startswith("binance:ETH/USDT")


@pytest.mark.parametrize("target", ["XRP/USDT", "deadbeef", "*", "history"])
def test_what_is_not_there_is_one_line(world: World, target: str) -> None:
    with pytest.raises(UserError) as raised:
        world.force(target)
    assert target in str(raised.value)
    assert "\n" not in str(raised.value)
    assert (world.last_refusal().target, world.last_refusal().reason) == (target, str(raised.value))
    with pytest.raises(UserError, match="unknown environment 'moon'"):
        world.force("BTC/USDT", "moon")
    assert (world.last_refusal().target, world.last_refusal().environment) == ("BTC/USDT", "moon")
    assert world.champion() is None


def test_a_symbol_on_two_venues_must_be_named_in_full(world: World) -> None:
    models = ModelStore(world.workspace.models_dir)
    ensemble = models.ensemble(world.refit)
    models.save_ensemble(msgspec.structs.replace(ensemble, instrument="kraken:BTC/USDT"))
    with pytest.raises(UserError, match=r"more than one venue.*binance:BTC/USDT.*kraken"):
        world.force("BTC/USDT")
    assert "was made for binance:BTC/USDT, not for" in world.force("kraken:BTC/USDT").refused[0]


def test_a_package_named_alone_is_stored_as_an_ensemble_once_it_is_promoted(world: World) -> None:
    """A refusal changes nothing but the journal."""
    models = ModelStore(world.workspace.models_dir)
    name = models.ensemble(world.refit).members[0].name
    before = sorted(models.root.rglob("*"))
    assert "no passing verdict" in world.promote(name).refused[0]
    assert sorted(models.root.rglob("*")) == before
    assert world.force(name).promoted
    alone = models.ensemble(world.champion() or "")
    assert (alone.aggregated, alone.members[0].name) == (False, name)


def test_without_any_ensemble_the_message_names_the_command_that_makes_one(world: World) -> None:
    shutil.rmtree(world.workspace.models_dir / "ensembles")
    with pytest.raises(UserError, match="ares train"):
        world.force(None)


RACER = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from ares.config.workspace import Workspace
from ares.bootstrap.lifecycle import promote

waited = []

def now():
    if not waited:  # it has looked at the champion, and not yet written
        waited.append(print("looked", flush=True))
        sys.stdin.readline()
    return datetime.now(UTC)

outcome = promote(Workspace(Path(sys.argv[1])), sys.argv[2], "history", False, "race", now=now)
print(json.dumps([len(outcome.promoted), list(outcome.refused)]), flush=True)
"""


def test_of_two_processes_at_once_one_wins_and_the_other_is_refused(world: World) -> None:
    """Both have looked at the same champion; who writes second finds another one there."""
    targets = (world.refit, world.other)
    for target in targets:
        world.let_pass(target)
    command = [sys.executable, "-c", RACER, str(world.workspace.root)]
    racers = [
        subprocess.Popen([*command, t], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for t in targets
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "looked\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    results = [json.loads(racer.communicate(timeout=120)[0]) for racer in racers]
    won = [target for target, (promoted, _) in zip(targets, results, strict=True) if promoted]
    assert len(won) == 1
    assert world.champion() == won[0]
    ((messages,),) = (refused for promoted, refused in results if not promoted)
    assert f"{won[0][:12]} became champion in history meanwhile (by " in messages
    assert world.last_refusal().action == "promote"
    assert len(read_registry(world.workspace.journal_dir).promotions) == 1


def test_what_it_rests_on_may_not_change_while_it_is_promoted(world: World) -> None:
    """Archived, or judged again, between the look and the record."""
    world.let_pass(world.refit)
    changes: list[tuple[Callable[[], object], str]] = [
        (lambda: world.let_pass(world.refit, passed=False), "was judged again meanwhile"),
        (lambda: archive(world.workspace, world.refit), "was archived meanwhile"),
    ]
    for change, message in changes:
        world.let_pass(world.refit)
        pending = [change]

        def now(pending: list[Callable[[], object]] = pending) -> datetime:
            while pending:
                pending.pop()()
            return datetime.now(UTC)

        (refusal,) = promote(world.workspace, world.refit, "history", False, None, now=now).refused
        assert message in refusal
        assert world.champion() is None
