"""Kills an install at each of its writes, and says what was found afterwards, as JSON.

``killed.py SITE PACKAGE HEALTH FIRST``: SITE holds the workspace ``production``, HEALTH is the
health command of the killed install (``false``: it is taken back), FIRST the point to begin with.
Each point forks a process, which sends itself a SIGKILL there, in a workspace of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import yaml

from ares.adapters.model_store import ModelStore
from ares.config.workspace import Workspace
from ares.runtime.deploy import install
from ares.runtime.deploy_plan import Asked, Outside, Plan
from ares.runtime.deploy_rollback import rollback
from ares.runtime.deploy_status import deploy_status
from ares.runtime.model_check import insist_it_works
from ares.runtime.model_journal import read_book

BTC = "binance:BTC/USDT"


def yes(_plan: Plan) -> bool:
    return True


def settled(root: Path, health: str) -> Workspace:
    path = root / "ares.yaml"
    content = yaml.safe_load(path.read_text())
    content["deployment"] = {
        "policy": "restart",
        "restart_command": "true",
        "health_command": health,
        "health_interval_seconds": 0.001,
        "health_seconds_max": 0.003 if health == "false" else 60.0,
    }
    path.write_text(yaml.safe_dump(content))
    return Workspace(root)


def points(site: Path, asked: Asked, health: str) -> list[str]:
    """Return the names of the writes of an install that is not killed."""
    found: list[str] = []
    root, temporary = site / "whole", site / "tmp"
    temporary.mkdir()
    shutil.copytree(site / "production", root)
    install(settled(root, health), asked, yes, Outside(at=found.append, temporary=temporary))
    assert not list(temporary.iterdir())
    return found


def killed_at(point: str, site: Path, asked: Asked, health: str) -> dict[str, Any]:
    """Kill an install at a point, then look, repeat it, and look again."""
    root, temporary = site / f"at {point}", site / f"tmp {point}"
    temporary.mkdir()
    shutil.copytree(site / "production", root)
    workspace = settled(root, health)
    pid = os.fork()
    if pid == 0:
        try:

            def at(name: str) -> None:
                if name == point:
                    os.kill(os.getpid(), signal.SIGKILL)

            install(workspace, asked, yes, Outside(at=at, temporary=temporary))
        finally:
            os._exit(7)
    _, code = os.waitpid(pid, 0)
    outside = Outside(temporary=temporary)
    left = len(list(temporary.iterdir()))
    status = deploy_status(workspace, "live", outside)
    champion = status.champions[BTC]
    insist_it_works(workspace, ModelStore(workspace.models_dir).ensemble(champion))
    said = {
        "killed": os.WIFSIGNALED(code) and os.WTERMSIG(code) == signal.SIGKILL,
        "left": left,
        "cleaned": len(status.cleaned),
        "after": len(list(temporary.iterdir())),
        "champion": champion,
        "unfinished": list(status.unfinished),
    }
    back = shutil.copytree(root, site / f"back {point}")
    workspace = settled(root, "true")
    again = install(workspace, asked, yes, outside)
    said["again"] = again.result
    said["at last"] = read_book(workspace.journal_dir).champions("live")[BTC]
    said["settled"] = deploy_status(workspace, "live", outside).settled
    if status.unfinished and "before it changed anything" not in status.unfinished[0]:
        workspace = settled(back, "true")
        undone = rollback(workspace, None, "live", "", True, lambda _sentence: False, outside)
        said["undone"] = [undone.result, undone.champion]
        said["undone settled"] = deploy_status(workspace, "live", outside).settled
    return said


def main() -> None:
    site, package, health, first = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:5]
    asked = Asked(package, to="live", now=True, yes=True)
    found = points(site, asked, health)
    found = found[found.index(first) :]
    print(json.dumps({point: killed_at(point, site, asked, health) for point in found}))


if __name__ == "__main__":
    main()
