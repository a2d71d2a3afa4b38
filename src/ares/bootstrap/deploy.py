"""Deployment, composed: a model into production by restart, then MLflow brought up to date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ares.bootstrap.mlflow import sync_warnings
from ares.bootstrap.values import model_paths
from ares.config.workspace import Workspace

if TYPE_CHECKING:
    from ares.runtime.deploy.plan import DeployPlan, DeployReport, DeployRequest
    from ares.runtime.deploy.policy import DeployContext, DeployEffects, DeployPolicy
    from ares.runtime.deploy.status import DeployStatus


def install(
    workspace: Workspace,
    request: DeployRequest,
    approve: Callable[[DeployPlan], bool],
    effects: DeployEffects,
) -> DeployReport:
    """Put a package into service; see ``runtime.deploy.install``."""
    from ares.runtime.deploy import install as deploy

    return _synced(workspace, deploy.install(deploy_context(workspace, effects), request, approve))


def rollback(
    workspace: Workspace,
    symbol: str | None,
    to: str | None,
    reason: str,
    yes: bool,
    approve: Callable[[str], bool],
    effects: DeployEffects,
) -> DeployReport:
    """Put the previous champion back into service; see ``runtime.deploy.rollback``."""
    from ares.runtime.deploy import rollback as deploy

    context = deploy_context(workspace, effects)
    return _synced(workspace, deploy.rollback(context, symbol, to, reason, yes, approve))


def status(workspace: Workspace, to: str | None, effects: DeployEffects) -> DeployStatus:
    """Return the state of deployments; see ``runtime.deploy.status``."""
    from ares.runtime.deploy.status import deploy_status

    return deploy_status(deploy_context(workspace, effects), to)


def deploy_context(workspace: Workspace, effects: DeployEffects) -> DeployContext:
    """Return everything that a deployment of a workspace needs."""
    from ares.bootstrap.validation import validation_config
    from ares.runtime.deploy.policy import DeployContext

    return DeployContext(
        model_paths(workspace),
        deploy_policy(workspace),
        lambda: validation_config(workspace),
        effects,
    )


def deploy_policy(workspace: Workspace) -> DeployPolicy:
    """Return the settings of deployments."""
    from ares.runtime.deploy.policy import DeployPolicy, ServicePolicy

    settings, deployment = workspace.settings, workspace.settings.deployment
    return DeployPolicy(
        by_restart=deployment.policy == "restart",
        environment=settings.live_trading.mode,
        instruments=tuple(f"{settings.venue}:{symbol}" for symbol in settings.symbols),
        quiet_hours=deployment.quiet_hours,
        quiet=deployment.quiet,
        parity_difference_max=settings.promotion.parity_difference_max,
        service=ServicePolicy(
            restart_command=deployment.restart_command,
            restart_seconds_max=deployment.restart_seconds_max,
            health_command=deployment.health_command,
            health_command_seconds_max=deployment.health_command_seconds_max,
            heartbeat_file=Path(deployment.heartbeat_file),
            heartbeat_seconds_max=deployment.heartbeat_seconds_max,
            checks=deployment.health_checks,
            interval_seconds=deployment.health_interval_seconds,
            seconds_max=deployment.health_seconds_max,
        ),
    )


def _synced(workspace: Workspace, report: DeployReport) -> DeployReport:
    """Bring MLflow up to date, last: a restart never waits for it."""
    return replace(report, warnings=(*report.warnings, *sync_warnings(workspace)))
