"""Deployment, composed: a model into production by restart, then MLflow brought up to date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ares.bootstrap.lifecycle import sync_warnings
from ares.config.workspace import Workspace

if TYPE_CHECKING:
    from ares.runtime.deploy.plan import DeployEffects, DeployPlan, DeployReport, DeployRequest
    from ares.runtime.deploy.status import DeployStatus


def install(
    workspace: Workspace,
    request: DeployRequest,
    approve: Callable[[DeployPlan], bool],
    effects: DeployEffects,
) -> DeployReport:
    """Put a package into service; see ``runtime.deploy.install``."""
    from ares.runtime.deploy import install as deploy

    return _synced(workspace, deploy.install(workspace, request, approve, effects))


def rollback(
    workspace: Workspace,
    symbol: str | None,
    to: str | None,
    reason: str,
    yes: bool,
    approve: Callable[[str], bool],
    effects: DeployEffects,
) -> DeployReport:
    """Put the champion before back into service; see ``runtime.deploy.rollback``."""
    from ares.runtime.deploy import rollback as deploy

    return _synced(workspace, deploy.rollback(workspace, symbol, to, reason, yes, approve, effects))


def status(workspace: Workspace, to: str | None, effects: DeployEffects) -> DeployStatus:
    """Return the state of deployments; see ``runtime.deploy.status``."""
    from ares.runtime.deploy.status import deploy_status

    return deploy_status(workspace, to, effects)


def _synced(workspace: Workspace, report: DeployReport) -> DeployReport:
    """Bring MLflow up to date: a deployment itself never waits for it."""
    return replace(report, warnings=(*report.warnings, *sync_warnings(workspace)))
