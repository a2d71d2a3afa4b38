"""The soak goes on where it stopped, keeps what broke a promise, and begins anew with new code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.sim import soak

from ares.core import reconcile
from ares.core.state import State
from ares.domain.order_events import OrderFilled

FEW = ("--events", "40", "--workers", "1", "--minutes", "10")


def results(path: Path) -> dict[str, Any]:
    (record,) = json.loads(path.read_text()).values()
    return dict(record)


def test_it_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(soak, "BATCH_EVENTS", 80)
    path = tmp_path / "soak.json"
    words = [*FEW, "--results", str(path), "--seeds"]
    assert soak.main([*words, "2"]) == 0
    first = results(path)
    assert (first["next"], first["counts"]["worlds"]) == (2, 2)
    assert soak.main([*words, "5"]) == 0
    second = results(path)
    assert (second["next"], second["counts"]["worlds"]) == (5, 5)
    assert second["counts"]["events"] > first["counts"]["events"] >= 80
    assert soak.main([*words, "5"]) == 0
    assert results(path) == second
    assert "5 worlds" in capsys.readouterr().out


def test_a_broken_promise_is_kept_with_the_faults_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    def strict(_state: State, event: OrderFilled) -> Any:
        raise RuntimeError(f"an answer for the unknown order {event.client_id}")

    monkeypatch.setattr(reconcile, "_of_nobody", strict)
    for first in range(0, 200, 5):
        counts, broken = soak.run_batch(range(first, first + 5), 300)
        assert counts["worlds"] == 5
        if broken:
            break
    failure = broken[0]
    assert first <= failure["seed"] < first + 5
    assert "unknown order" in failure["finding"]
    assert "unknown_order" in [name for _, name in failure["least"]]
    assert set(failure["least"]) < set(failure["faults"])


@pytest.mark.parametrize(
    "changed", ["journal/writer.py", "sim/attacking_venue.py", "runtime/engine/recovery.py"]
)
def test_results_of_other_code_are_not_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    before = soak.identity()
    for folder in soak.FOLDERS:
        shutil.copytree(soak.SOURCE / folder, tmp_path / folder)
    monkeypatch.setattr(soak, "SOURCE", tmp_path)
    path = tmp_path / changed
    text = path.read_text()
    path.write_text(f"{text}\n# a remark\n")
    assert soak.identity() == before
    path.write_text(f"{text}\nchanged = 1\n")
    assert soak.identity() != before
