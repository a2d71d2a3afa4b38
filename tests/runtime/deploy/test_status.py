"""``ares deploy status`` where nothing may be written: what runs now is not called interrupted."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ares.config.workspace import Workspace
from ares.runtime.deploy.status import DeployStatus, deploy_status


class Killed(BaseException):
    """As a kill: nothing is caught, nothing is tidied up."""


@pytest.fixture
def open_site(site: Any) -> Iterator[Any]:
    """Return the site with production where another user may look at it."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        root = Path(name) / "production"
        shutil.copytree(site.production.root, root)
        site.production = Workspace(root)
        site.settle(restart_command="true", health_command="true", health_interval_seconds=0.001)
        yield site


@contextmanager
def as_a_reader(site: Any, lock_mode: int = 0o444) -> Iterator[None]:
    """Be somebody who may not write into the deployments' folder."""
    folder = site.production.models_dir / "deploy"
    (folder / "lock").chmod(lock_mode)
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:  # who may write everywhere
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o755)
        (folder / "lock").chmod(0o644)


def test_a_deployment_that_a_reader_sees_under_way_was_not_interrupted(open_site: Any) -> None:
    seen: list[DeployStatus] = []

    def look(point: str) -> None:
        if point == "promoted":
            with as_a_reader(open_site):
                seen.append(deploy_status(open_site.context(), "live"))

    assert open_site.install(checkpoint=look).result == "installed"
    [status] = seen
    assert status.interrupted == ()
    assert status.running is not None
    assert status.running.startswith(f"another deployment (process {os.getpid()}) runs in ")


@pytest.mark.parametrize("lock_mode", [0o444, 0o000])
def test_an_interrupted_install_is_reported_with_what_is_uncertain(
    open_site: Any, lock_mode: int
) -> None:
    def die(point: str) -> None:
        if point == "promoted":
            raise Killed

    with pytest.raises(Killed):
        open_site.install(checkpoint=die)
    with as_a_reader(open_site, lock_mode):
        status = deploy_status(open_site.context(), "live")
    [sentence] = status.interrupted
    assert "was interrupted: champion is" in sentence
    assert status.running is None
    assert not status.ok
    doubt = "(unless it is still under way, which is unknown: "
    assert (doubt in sentence) == (lock_mode == 0)
