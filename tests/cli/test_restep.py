"""``ares restep``: a journal stepped again, its effects compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Ares = Callable[..., tuple[int, str, str]]


def test_the_newest_run_steps_to_the_same_effects(ares: Ares, first: dict[str, Any]) -> None:
    code, out, _ = ares("restep", "--json")
    done = json.loads(out)
    assert (code, done["mismatches"]) == (0, 0)
    assert done["compared"] == done["events"] == first["events"]


def test_a_run_is_found_by_its_name(ares: Ares) -> None:
    code, out, err = ares("restep", "20240102-20240102")
    assert (code, err) == (0, "")
    assert "byte-equal effects" in out


def test_a_forged_run_steps_to_other_effects(ares: Ares, forged: Path) -> None:
    code, out, _ = ares("restep", forged.name, "--json")
    done = json.loads(out)
    assert (code, done["mismatches"]) == (1, 1)
    assert done["first"]["journaled"] != done["first"].get("recomputed")
    code, out, _ = ares("restep", f"history/{forged.name}")
    assert code == 1
    assert "The first in full" in out


def test_an_unknown_run_is_one_line(ares: Ares) -> None:
    code, out, err = ares("restep", "none")
    assert (code, out) == (2, "")
    assert err.startswith("ares: no run 'none'")
    assert err.count("\n") == 1
