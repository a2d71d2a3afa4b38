"""A run and the disk: the journal before rows, snapshots and orders; no half of anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ares.adapters.simulated_venue import SimulatedVenue
from ares.domain.events import Command
from ares.domain.order_events import AskAccount, CancelOrder, SubmitOrder
from ares.journal.run import entries
from ares.journal.snapshots import load_snapshot, save_snapshot
from ares.runtime.engine.plan import RunPlan

MINUTE_MS, DAY_MS = 60_000, 86_400_000


def test_a_snapshot_is_never_ahead_of_the_journal(
    world: Any, plan: RunPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []

    def watched(folder: Path, seq: int, raw: bytes, *anchored: Any, **more: Any) -> None:
        seen.append((seq, max((entry.seq for entry in entries(folder)), default=0)))
        save_snapshot(folder, seq, raw, *anchored, **more)

    monkeypatch.setattr("ares.runtime.engine.history_run.save_snapshot", watched)
    world.run(tmp_path / "run", None, plan, snapshot_events=9)
    assert len(seen) > 50
    assert all(seq == durable for seq, durable in seen)


def test_a_command_is_durable_before_it_is_sent(
    world: Any, plan: RunPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = SimulatedVenue.send
    seen: list[tuple[type, bool]] = []

    def watched(venue: SimulatedVenue, command: Command) -> None:
        written = [e for entry in entries(tmp_path / "run") for e in entry.effects]
        seen.append((type(command), command in written))
        send(venue, command)

    monkeypatch.setattr(SimulatedVenue, "send", watched)
    world.run(tmp_path / "run", None, plan)
    assert sum(kind is SubmitOrder for kind, _ in seen) > 50
    assert {CancelOrder, AskAccount} <= {kind for kind, _ in seen}
    assert all(durable for _, durable in seen)


def test_a_snapshot_that_cannot_be_written_leaves_no_half_of_it(tmp_path: Path) -> None:
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from ares.domain.errors import ExternalError\n"
        "from ares.journal.snapshots import save_snapshot\n"
        "folder = Path(sys.argv[1])\n"
        "save_snapshot(folder, 1, b'x' * 1000)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))\n"
        "try: save_snapshot(folder, 2, b'y' * 1000)\n"
        "except ExternalError as trouble: print(trouble)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.startswith("cannot write")
    assert done.stdout.count("\n") == 1
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == ["000000000001.snapshot"]
    found = load_snapshot(tmp_path)
    assert found is not None
    assert (found.seq, found.state) == (1, b"x" * 1000)


def test_an_equal_snapshot_replaces_itself(tmp_path: Path) -> None:
    save_snapshot(tmp_path, 5, b"state")
    raw = (tmp_path / "snapshots" / "000000000005.snapshot").read_bytes()
    save_snapshot(tmp_path, 5, b"state")
    assert (tmp_path / "snapshots" / "000000000005.snapshot").read_bytes() == raw
    found = load_snapshot(tmp_path)
    assert found is not None
    assert (found.seq, found.state) == (5, b"state")
    assert load_snapshot(tmp_path, 4) is None
