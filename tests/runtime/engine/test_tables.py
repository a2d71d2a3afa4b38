"""What a worker is given travels to its process; a run may have no tables."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ares.runtime.engine.tables import NO_TABLES, TableStatus, TableTarget


def test_a_target_travels(tmp_path: Path) -> None:
    target = TableTarget(tmp_path, "postgresql://u:p@h/d", "paper", "live")
    raw = msgspec.json.encode(target, enc_hook=str)
    found = msgspec.json.decode(raw, type=TableTarget, dec_hook=lambda kind, value: kind(value))
    assert found == target
    assert isinstance(found.folder, Path)


def test_a_run_without_tables_waits_for_nothing() -> None:
    NO_TABLES.finish()
    assert NO_TABLES.stop(wait=True) == ""
    assert TableStatus().behind == 0
