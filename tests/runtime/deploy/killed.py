"""Kills an install at each of its writes, and says what was found afterwards, as JSON.

``killed.py SITE PACKAGE HEALTH FIRST``: SITE holds the workspace ``production``, HEALTH is the
health command of the killed install (``false``: it is reverted), FIRST the point to begin with.
Each point forks a process, which sends itself a SIGKILL there, in a workspace of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from ares.adapters.model_store import ModelStore
from ares.bootstrap.deploy import deploy_context
from ares.bootstrap.validation import validation_config
from ares.config.workspace import Workspace
from ares.runtime.deploy.install import install
from ares.runtime.deploy.plan import DeployPlan, DeployRequest
from ares.runtime.deploy.policy import DeployContext, DeployEffects
from ares.runtime.deploy.rollback import rollback
from ares.runtime.deploy.status import deploy_status
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.validation.stored_models import require_working

BTC = "binance:BTC/USDT"


def context(
    workspace: Workspace, temporary: Path, checkpoint: Callable[[str], None] = lambda _point: None
) -> DeployContext:
    return deploy_context(workspace, DeployEffects(checkpoint=checkpoint, temporary=temporary))


def yes(_plan: DeployPlan) -> bool:
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


def points(site: Path, request: DeployRequest, health: str) -> list[str]:
    """Return the names of the writes of an install that is not killed."""
    found: list[str] = []
    root, temporary = site / "whole", site / "tmp"
    temporary.mkdir()
    shutil.copytree(site / "production", root)
    install(context(settled(root, health), temporary, found.append), request, yes)
    assert not list(temporary.iterdir())
    return found


def killed_at(point: str, site: Path, request: DeployRequest, health: str) -> dict[str, Any]:
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

            install(context(workspace, temporary, at), request, yes)
        finally:
            os._exit(7)
    _, code = os.waitpid(pid, 0)
    left = len(list(temporary.iterdir()))
    status = deploy_status(context(workspace, temporary), "live")
    champion = status.champions[BTC]
    require_working(
        validation_config(workspace), ModelStore(workspace.models_dir).ensemble(champion)
    )
    output = {
        "killed": os.WIFSIGNALED(code) and os.WTERMSIG(code) == signal.SIGKILL,
        "left": left,
        "removed": len(status.removed),
        "after": len(list(temporary.iterdir())),
        "champion": champion,
        "interrupted": list(status.interrupted),
    }
    back = shutil.copytree(root, site / f"back {point}")
    workspace = settled(root, "true")
    again = install(context(workspace, temporary), request, yes)
    output["again"] = again.result
    output["at last"] = read_registry(workspace.journal_dir).champions("live")[BTC]
    output["ok"] = deploy_status(context(workspace, temporary), "live").ok
    if status.interrupted and "before it changed anything" not in status.interrupted[0]:
        workspace = settled(back, "true")
        undone = rollback(
            context(workspace, temporary), None, "live", "", True, lambda _sentence: False
        )
        output["undone"] = [undone.result, undone.champion]
        output["undone ok"] = deploy_status(context(workspace, temporary), "live").ok
    return output


def main() -> None:
    site, package, health, first = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:5]
    request = DeployRequest(package, to="live", now=True, yes=True)
    found = points(site, request, health)
    found = found[found.index(first) :]
    print(json.dumps({point: killed_at(point, site, request, health) for point in found}))


if __name__ == "__main__":
    main()
