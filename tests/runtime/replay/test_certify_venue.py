"""A run at a venue outside the fill model is certified: its decisions, not its executions."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.runtime.replay.other_venue import Habits, run_elsewhere

from ares.domain.events import DecisionMade, SignalRefused
from ares.domain.order_events import SubmitOrder
from ares.journal.run import entries
from ares.runtime.replay.certify import certify
from ares.runtime.replay.restep import restep

HABITS = Habits(spread_bps=3.0, fee_ppm=200, bars_late=1, every_rejected=5, parts=2, stops=True)


@pytest.fixture(scope="session")
def live(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("live") / "run"
    run_elsewhere(world, folder, HABITS)
    return folder


@pytest.fixture
def forged(live: Path, tmp_path: Path) -> Path:
    shutil.copytree(live, tmp_path / "run")
    return tmp_path / "run"


def test_decisions_and_requests_agree_whatever_the_venue_did(world: Any, live: Path) -> None:
    assert restep(live, world.models).mismatches == 0
    certified = certify(live, world.models)
    assert (certified.mismatches, certified.first) == (0, None)
    effects = [effect for entry in entries(live) for effect in entry.effects]
    orders = [e for e in effects if isinstance(e, SubmitOrder)]
    n_requests = sum(o.kind == "entry" or (o.kind == "exit" and o.reason != "stop") for o in orders)
    compared = {kind: n for kind, (n, _) in certified.lines.items()}
    assert compared["orders"] == n_requests > 20
    assert compared["refusals"] == sum(isinstance(e, SignalRefused) for e in effects) > 0
    instants = sum(isinstance(e, DecisionMade) for e in effects)
    assert compared["decisions"] == instants * (3 * 2 + 2)
    assert "fills" not in compared


def output_changed(e: DecisionMade) -> DecisionMade:
    columns = np.frombuffer(e.outputs).reshape(5, -1).copy()
    columns[1, 0] = np.nextafter(columns[1, 0], 2.0)
    return msgspec.structs.replace(e, outputs=columns.tobytes())


FORGERIES: dict[str, Any] = {
    "an entry's lots": (
        lambda e: isinstance(e, SubmitOrder) and e.kind == "entry",
        lambda e: msgspec.structs.replace(e, lots=e.lots + 1),
    ),
    "an exit's reason": (
        lambda e: isinstance(e, SubmitOrder) and e.reason == "reversal",
        lambda e: msgspec.structs.replace(e, reason="timeout"),
    ),
    "a refusal's code": (
        lambda e: isinstance(e, SignalRefused),
        lambda e: msgspec.structs.replace(e, code="cash"),
    ),
    "an edge's last bit": (
        lambda e: isinstance(e, DecisionMade) and not np.isnan(np.frombuffer(e.outputs)[0]),
        output_changed,
    ),
    "equity": (
        lambda e: isinstance(e, DecisionMade),
        lambda e: msgspec.structs.replace(e, equity_units=e.equity_units + 1),
    ),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forged_decision_is_found(world: Any, forged: Path, what: str) -> None:
    is_it, change = FORGERIES[what]
    seen = 0

    def forger(_seq: int, event: Any, effects: list[Any]) -> Any:
        nonlocal seen
        out = []
        for effect in effects:
            seen += is_it(effect)
            out.append(change(effect) if is_it(effect) and seen == 2 else effect)
        return event, out

    world.forge(forged, forger)
    assert seen >= 2
    certified = certify(forged, world.models)
    assert certified.mismatches >= 1
    assert certified.first is not None
