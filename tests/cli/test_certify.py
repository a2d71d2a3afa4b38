"""``ares certify``: a run recomputed by the backtest path."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ares.config.workspace import Workspace

Ares = Callable[..., tuple[int, str, str]]


def test_the_newest_run_is_certified(ares: Ares, first: dict[str, Any]) -> None:
    code, out, _ = ares("certify", "--json")
    done = json.loads(out)
    assert (code, done["mismatches"], done["first"]) == (0, 0, None)
    assert done["events"] == first["events"]
    assert done["compared"] > 1_000


def test_a_run_is_certified_by_its_name(ares: Ares) -> None:
    code, out, err = ares("certify", "20240102-20240102")
    assert (code, err) == (0, "")
    assert "agree" in out


def test_a_forged_run_is_not_certified(ares: Ares, forged: Path) -> None:
    code, out, _ = ares("certify", forged.name, "--json")
    done = json.loads(out)
    assert (code, done["mismatches"]) == (1, 1)
    assert done["first"]["journaled"] != done["first"]["recomputed"]
    code, out, _ = ares("certify", f"history/{forged.name}")
    assert code == 1
    assert "The first in full" in out


def test_the_waterfall_of_a_simulated_run_has_no_gap(ares: Ares, root: Path) -> None:
    picture = root / "waterfall.png"
    code, out, _ = ares("certify", "--waterfall", "--picture", str(picture), "--json")
    done = json.loads(out)
    found = done["waterfall"]
    assert (code, done["mismatches"], found["total"]["quote"]["gap"]) == (0, 0, 0.0)
    assert found["total"]["both"] == sum(scope["both"] for scope in found["instruments"])
    assert {trade["quote"]["gap"] for trade in found["trades"]} <= {0.0}
    assert picture.read_bytes().startswith(b"\x89PNG")
    code, out, _ = ares("certify", "--waterfall")
    assert code == 0
    assert "parity waterfall history/" in out
    assert "agree" in out


def test_a_picture_without_its_waterfall_is_one_line(ares: Ares, root: Path) -> None:
    code, out, err = ares("certify", "--picture", str(root / "w.png"))
    assert (code, out) == (2, "")
    assert err.startswith("ares: --picture is of the waterfall")
    code, _, err = ares("certify", "--waterfall", "--picture", str(root))
    assert code == 2
    assert "is a folder" in err


def test_a_rehearsal_is_certified_by_its_name(ares: Ares, root: Path) -> None:
    journals = Workspace(root).journal_dir
    [folder] = [path for path in (journals / "history").iterdir() if path.is_dir()]
    (journals / "rehearsal").mkdir()
    folder.rename(journals / "rehearsal" / "kraken")
    code, out, _ = ares("certify", "rehearsal/kraken", "--waterfall", "--json")
    assert (code, json.loads(out)["mismatches"]) == (0, 0)
    code, _, err = ares("certify", "rehearsal/none")
    assert code == 2
    assert "rehearsal/kraken" in err


def test_an_unknown_run_is_one_line(ares: Ares) -> None:
    code, out, err = ares("certify", "none")
    assert (code, out) == (2, "")
    assert err.startswith("ares: no run 'none'")
    assert err.count("\n") == 1
