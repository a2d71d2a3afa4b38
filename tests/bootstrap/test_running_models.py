"""A promotion reaches the engine that runs: it swaps between two bars, or it is undone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.paper_engine import running

from ares.adapters.model_store import ModelStore
from ares.bootstrap.control import engine_runs, give, running_engine
from ares.bootstrap.deploy import deploy_context
from ares.bootstrap.lifecycle import list_models, promote
from ares.bootstrap.real_time import RealTimeStart, paper_run
from ares.bootstrap.real_time_plan import RealTimeRequest
from ares.bootstrap.replays import certify_run
from ares.bootstrap.running_models import rolled_back_in_engine
from ares.cli.deploy_views import show_status
from ares.cli.models_views import show_listed
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.events import BarsClosed
from ares.domain.model import Ensemble
from ares.domain.model_events import SlotChanged
from ares.domain.timeframe import HOUR_MS
from ares.journal.run import entries
from ares.runtime.deploy.policy import DeployEffects
from ares.runtime.deploy.status import deploy_status
from ares.runtime.engine.live_run import LiveRun
from ares.runtime.registry.model_journal import read_registry
from ares.store.commands import CommandAnswer

FROM_MS = 1_588_291_200_000  # 2020-05-01
BTC = "simulated:BTC/USDT"
LIMIT_S = 900.0  # the kernel may have to be compiled first
SPEED = 36_000.0  # ten bars a second


@pytest.fixture
def workspace(archived_root: Path) -> Workspace:
    return Workspace(archived_root)


def ensembles(workspace: Workspace) -> tuple[Ensemble, Ensemble]:
    """Return the stored ensemble, and another one of its first package alone."""
    store = ModelStore(workspace.models_dir)
    (first,) = store.listed().ensembles
    package = store.member(first.members[0])
    second = package.alone(BTC, package.card.created_at)
    store.save_ensemble(second)
    return first, second


def until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def engine(workspace: Workspace) -> Iterator[LiveRun]:
    """Run the paper engine on stored candles in a thread, until the end of the block."""
    runs: list[LiveRun] = []

    def note(_start: RealTimeStart, run: LiveRun) -> None:
        runs.append(run)

    request = RealTimeRequest(stored=True, from_ms=FROM_MS, speed=SPEED)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(paper_run, workspace, request, note)
        try:
            until(lambda: ended.done() or (engine_runs(workspace, "paper") and bool(runs)))
            if not ended.done():
                yield runs[0]
        finally:
            if engine_runs(workspace, "paper"):
                give(workspace, "paper", "stop", wait_s=60.0)
            ended.result()


def champion(workspace: Workspace) -> str:
    return running_engine(workspace, "paper").status.instruments[0].champion


def test_a_promotion_swaps_the_model_of_the_running_engine(workspace: Workspace) -> None:
    first, second = ensembles(workspace)
    assert promote(workspace, first.hash, "paper", True, "rehearsal").refused == ()
    with engine(workspace):
        until(lambda: champion(workspace) == first.hash)
        outcome = promote(workspace, second.hash, "paper", True, "try it")
        assert (outcome.refused, len(outcome.promoted)) == ((), 1)
        until(lambda: champion(workspace) == second.hash)
        answer = rolled_back_in_engine(workspace, "BTC/USDT", "paper", "worse")
        assert answer is None, "it is the registry's: the registry is asked"
    found = list(entries(workspace.journal_dir / "paper"))
    moves = [e for entry in found for e in entry.effects if isinstance(e, SlotChanged)]
    assert [(move.move, move.ensemble_hash, move.reason) for move in moves] == [
        ("published", second.hash, "try it")
    ]
    closed = [entry.event.ts_ms for entry in found if isinstance(entry.event, BarsClosed)]
    assert closed == list(range(closed[0], closed[-1] + 1, HOUR_MS)), "no bar was missed"
    assert certify_run(workspace, "paper").mismatches == 0
    with engine(workspace):
        assert champion(workspace) == second.hash
    assert len(list(entries(workspace.journal_dir / "paper"))) > len(found)


def test_a_champion_of_the_engines_own_is_rolled_back_in_the_engine(workspace: Workspace) -> None:
    first, second = ensembles(workspace)
    promote(workspace, first.hash, "paper", True, "rehearsal")
    with engine(workspace):
        arguments = {"instrument": BTC, "ensemble": second.hash, "reason": "by hand"}
        answer = give(workspace, "paper", "promote", wait_s=60.0, **arguments)
        assert answer == CommandAnswer("done", f"the champion of {BTC} is {second.hash[:12]}")
        until(lambda: champion(workspace) == second.hash)
        back = rolled_back_in_engine(workspace, "BTC/USDT", "paper", "worse")
        assert back == CommandAnswer(
            "done", f"rollback of {BTC}: the champion is {first.hash[:12]}"
        )


def test_a_champion_that_the_run_took_out_is_shown_and_promoted_again_while_it_runs(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    first, _ = ensembles(workspace)
    promote(workspace, first.hash, "paper", True, "rehearsal")
    with engine(workspace):
        answer = give(workspace, "paper", "rollback", wait_s=60.0, instrument=BTC, reason="worse")
        assert answer.outcome == "done"
        until(lambda: champion(workspace) == "")
        [row] = list_models(workspace).served
        assert (row.ensemble_hash, row.registry_hash, row.reason) == ("", first.hash, "worse")
        deployed = deploy_status(deploy_context(workspace, DeployEffects()), "paper")
        assert deployed.served == (row,)
        until(lambda: _serves(workspace))
        show_status(deployed)
    show_listed(list_models(workspace))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(BTC)]
    assert len(lines) == 2
    assert lines[0].startswith(f"{BTC}: the run in paper has no champion since 2020-05-")
    assert lines[0].endswith(f"worse); the registry has {first.hash[:12]}")
    again = promote(workspace, first.hash, "paper", True, "try it")
    assert again.refused[0].endswith("already; its run took it out by itself: promote it again"
                                     " while the engine runs")  # fmt: skip
    with engine(workspace):
        assert champion(workspace) == "", "as the run left it"
        assert promote(workspace, first.hash, "paper", True, "try it").refused == ()
        until(lambda: champion(workspace) == first.hash)
        refused = promote(workspace, first.hash, "paper", True, "try it").refused
    assert refused[0].endswith(f"{first.hash[:12]}: it is champion in paper already")
    assert list_models(workspace).served == ()
    assert certify_run(workspace, "paper").mismatches == 0


def _serves(workspace: Workspace) -> bool:
    """Return whether the service is found to serve what it should: what its run has."""
    found = deploy_status(deploy_context(workspace, DeployEffects()), "paper").heartbeat
    return found is not None and found.serves


def test_an_instrument_that_the_engine_does_not_trade_is_the_registrys_alone(
    workspace: Workspace,
) -> None:
    first, _ = ensembles(workspace)
    with running(workspace.root):
        outcome = promote(workspace, first.hash, "paper", True, "rehearsal")
    assert outcome.refused == ()
    assert outcome.warnings == (f"{BTC}: the engine in paper does not trade it",)
    assert read_registry(workspace.journal_dir).champion("paper", BTC) == first.hash


def test_a_promotion_that_the_engine_refuses_is_undone(workspace: Workspace) -> None:
    first, second = ensembles(workspace)
    promote(workspace, first.hash, "paper", True, "rehearsal")
    with engine(workspace) as run:
        run.publish_from(_no_ensemble)
        outcome = promote(workspace, second.hash, "paper", True, "try it")
        assert outcome.promoted == ()
        (line,) = outcome.refused
        assert line == f"{BTC} {second.hash[:12]}: the engine in paper refused it: it is not there"
        assert champion(workspace) == first.hash
    assert read_registry(workspace.journal_dir).champion("paper", BTC) == first.hash


def _no_ensemble(_: str) -> Ensemble:
    raise UserError("it is not there")


def test_without_an_engine_the_next_start_takes_it_over(workspace: Workspace) -> None:
    first, second = ensembles(workspace)
    assert promote(workspace, first.hash, "paper", True, "rehearsal").warnings == ()
    with engine(workspace):
        pass
    outcome = promote(workspace, second.hash, "paper", True, "try it")
    assert outcome.warnings == ("no engine runs in paper: its next start takes it over",)
    with engine(workspace):
        until(lambda: champion(workspace) == second.hash)
