"""Killed at any write, an install leaves the old champion or the new one, and says which."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ares

if TYPE_CHECKING:
    from tests.runtime.deploy.conftest import Site

SCRIPT = Path(__file__).parent / "killed.py"
BEFORE = (
    "staging made", "package copied", "rehearsed", "approved", "models stored", "verdict stored",
    "history recorded", "announced",
)  # fmt: skip


def killed(site: Site, health: str, first: str) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [
            sys.executable,
            str(SCRIPT),
            str(site.production.root.parent),
            str(site.package),
            health,
            first,
        ],
        env={"PYTHONPATH": str(Path(ares.__file__).parent.parent), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def check(found: dict[str, Any], site: Site, champion: str) -> None:
    assert found["killed"]
    assert (found["left"], found["removed"], found["after"]) == (1, 1, 0)
    assert found["champion"] == champion
    assert found["at last"] == site.new
    assert found["ok"]


def test_an_install_that_would_have_gone_well(site: Site) -> None:
    found = killed(site, "true", "staging made")
    assert tuple(found) == (*BEFORE, "promoted", "restarted", "installed")
    for point in BEFORE:
        check(found[point], site, site.old)
        assert found[point]["again"] == "installed"
        interrupted = found[point]["interrupted"]
        if point == "announced":
            assert f"before it changed anything: champion is {site.old[:12]}" in interrupted[0]
        else:
            assert interrupted == []
    for point in ("promoted", "restarted"):
        check(found[point], site, site.new)
        assert f"champion is {site.new[:12]}, but the service" in found[point]["interrupted"][0]
        assert found[point]["again"] == "installed"
        assert found[point]["undone"] == ["reverted", site.old]
        assert found[point]["undone ok"]
    check(found["installed"], site, site.new)
    assert (found["installed"]["interrupted"], found["installed"]["again"]) == ([], "already")


def test_an_install_that_is_reverted(site: Site) -> None:
    found = killed(site, "false", "restarted")
    back = ("reverted", "restarted with the previous champion", "failure recorded")
    assert tuple(found) == ("restarted", *back)
    check(found["restarted"], site, site.new)
    for point in back:
        check(found[point], site, site.old)
        assert found[point]["again"] == "installed"
    for point in back[:2]:
        assert "while it was reverted: champion is" in found[point]["interrupted"][0]
        assert found[point]["undone"] == ["reverted", site.old]
        assert found[point]["undone ok"]
    assert found["failure recorded"]["interrupted"] == []
