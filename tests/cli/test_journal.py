"""``ares journal verify``: a whole journal, a flipped byte, an unfinished end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ares.config.workspace import Workspace
from ares.domain.stretch import BarsStretch
from ares.journal.run import RunReader

Ares = Callable[..., tuple[int, str, str]]


def journal_file(root: Path) -> Path:
    (folder,) = (Workspace(root).journal_dir / "history").iterdir()
    return folder / "000001.journal"


def test_a_whole_journal(ares: Ares, first: dict[str, Any]) -> None:
    code, out, err = ares("journal", "verify", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert (found["whole"], found["file"], found["byte"]) == (True, None, None)
    parts = list(RunReader(Path(first["folder"])).parts())
    stretches = [part for part in parts if isinstance(part, BarsStretch)]
    assert found["records"] == 2 * len(parts) - len(stretches)
    assert sum(map(len, stretches)) + len(parts) - len(stretches) == first["events"]
    code, out, _ = ares("journal", "verify", found["run"])
    assert code == 0
    assert "records in 1 file are whole" in out


def test_a_flipped_byte_is_named(root: Path, ares: Ares) -> None:
    path = journal_file(root)
    raw = bytearray(path.read_bytes())
    offset = len(raw) // 2
    raw[offset] ^= 0x04
    path.write_bytes(raw)
    code, out, err = ares("journal", "verify", "--json")
    found = json.loads(out)
    assert (code, err) == (3, "")
    assert (found["whole"], found["file"], found["byte"]) == (False, path.name, offset)
    assert found["record"] <= offset
    assert found["records"] > 0
    code, out, _ = ares("journal", "verify")
    assert code == 3
    assert f"damaged at byte {offset} of {path.name}" in " ".join(out.split())
    assert path.read_bytes() == raw


def test_an_unfinished_record_at_the_end_is_no_damage(root: Path, ares: Ares) -> None:
    path = journal_file(root)
    path.write_bytes(path.read_bytes()[:-3])
    code, out, _ = ares("journal", "verify")
    assert code == 0
    assert "are cut off at the next start" in " ".join(out.split())


def test_an_unknown_run_is_one_line(ares: Ares) -> None:
    code, out, err = ares("journal", "verify", "none")
    assert (code, out, err.count("\n")) == (2, "", 1)
