"""``ares certify``: a run recomputed by the backtest path."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def test_an_unknown_run_is_one_line(ares: Ares) -> None:
    code, out, err = ares("certify", "none")
    assert (code, out) == (2, "")
    assert err.startswith("ares: no run 'none'")
    assert err.count("\n") == 1
