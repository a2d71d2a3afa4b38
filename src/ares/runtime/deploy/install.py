"""Deployment by restart: a package in, the service up again and healthy, or all as it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from ares.config.workspace import Workspace
from ares.domain.errors import AresError, UserError
from ares.domain.model_life import InstallFailed, InstallStarted, RequestRefused
from ares.runtime.deploy.approval import approved
from ares.runtime.deploy.plan import DeployEffects, DeployPlan, DeployReport, DeployRequest
from ares.runtime.deploy.proof import go_back, prove
from ares.runtime.deploy.service import ExpectedChampion, Service
from ares.runtime.deploy.staging import clean_stale, one_at_a_time, staging
from ares.runtime.lifecycle.bundle_import import import_models
from ares.runtime.lifecycle.promotion import PromotionResult, promote
from ares.runtime.registry.model_journal import read_registry, record, stamp, who
from ares.runtime.validation.validate import require_environment


def install(
    workspace: Workspace,
    asked: DeployRequest,
    approve: Callable[[DeployPlan], bool],
    outside: DeployEffects | None = None,
) -> DeployReport:
    """Put a package into service: staged, verified, approved, promoted, restarted, healthy.

    Where the service does not come up, the champion before is put back and the service restarted
    with that. Whatever is refused is journaled, and changes nothing.

    Raises UserMistake for what was asked wrongly, WorldTrouble where another deployment runs.
    """
    outside = outside or DeployEffects()
    environment = permitted(workspace, asked.to)
    _require_sensible(asked)
    service = service_of(workspace, outside)
    service.require_commands()
    with one_at_a_time(workspace):
        clean_stale(workspace, outside.temporary)
        with staging(workspace, outside.temporary) as folder:
            outside.at("staging made")
            try:
                plan = approved(workspace, asked, environment, approve, folder, outside)
            except AresError as refusal:
                name = asked.package.name
                reason = str(refusal).replace(str(folder / name), name).removeprefix(f"{name}: ")
                return _refused(workspace, asked, environment, reason, outside)
            except KeyboardInterrupt:
                reason = "interrupted by a person, before anything was changed"
                _refused(workspace, asked, environment, reason, outside)
                raise
            if isinstance(plan, DeployReport):
                return plan
            return _carry_out(workspace, plan, service, outside)


def permitted(workspace: Workspace, to: str | None) -> str:
    """Return the environment; raise UserMistake where nothing may be deployed to it from here."""
    settings = workspace.settings
    environment = to or settings.live_trading.mode
    require_environment(environment)
    if environment == "history":
        raise UserError("history has no service to restart: `ares models promote` is enough")
    if settings.deployment.policy != "restart":
        raise UserError(
            "deployment.policy is hot_swap: `ares models import` and `ares models promote` put a "
            "model into use; set deployment.policy to restart for `ares deploy`"
        )
    owner = workspace.root.stat().st_uid
    if os.geteuid() != owner:
        raise UserError(
            f"{workspace.root} belongs to user {owner}: deploy as that one (sudo -u), so that the "
            "service can read and write what is installed"
        )
    return environment


def service_of(workspace: Workspace, outside: DeployEffects) -> Service:
    """Return the service of a workspace."""
    settings = workspace.settings.deployment
    return Service(
        settings, workspace.root, outside.now, outside.elapsed_s, outside.sleep, outside.say
    )


def _require_sensible(asked: DeployRequest) -> None:
    if asked.package.is_dir():
        raise UserError(
            f"{asked.package}: is a folder; what is installed is one file: `ares models export "
            "ENSEMBLE FILE.zip`"
        )
    if not asked.package.is_file():
        raise UserError(
            f"{asked.package}: there is no such file: `ares models export ENSEMBLE FILE.zip` "
            "makes one where models are trained"
        )
    if asked.force and not asked.reason.strip():
        raise UserError("a forced install needs a reason: --reason TEXT")


def _carry_out(
    workspace: Workspace, plan: DeployPlan, service: Service, outside: DeployEffects
) -> DeployReport:
    """Install what was approved; from the promotion on, whatever goes wrong is undone."""
    ensemble, environment = plan.rehearsed.ensemble, plan.environment
    if not plan.resumed:
        import_models(
            workspace, plan.rehearsed.bundle, plan.asked.package.name, verdicts=True,
            at=outside.at, now=outside.now,
        )  # fmt: skip
    warnings: tuple[str, ...] = ()
    interrupted: KeyboardInterrupt | None = None
    try:
        if not plan.resumed:
            outcome = _promoted(workspace, plan, outside)
            if outcome.refused:
                return _not_promoted(workspace, plan, outcome.refused[0], outside)
            warnings = outcome.warnings
        wanted = ExpectedChampion(environment, ensemble.instrument, ensemble.hash)
        wrong = prove(workspace, service, wanted, outside)
    except KeyboardInterrupt as error:
        wrong, interrupted = "interrupted by a person", error
    if wrong is None:
        checks = workspace.settings.deployment.health_checks
        reason = f"healthy {checks} times in a row with {ensemble.hash[:12]}"
        report = DeployReport(
            "installed", environment, ensemble.instrument, ensemble.hash, ensemble.hash, True,
            reason,
        )  # fmt: skip
    else:
        registry = read_registry(workspace.journal_dir)
        failed = registry.last_promotion(environment, ensemble.instrument)
        if failed is not None and failed.ensemble_hash == ensemble.hash:
            report = go_back(workspace, failed, wrong, service, outside)
        else:
            report = _not_promoted(workspace, plan, wrong, outside)
    if interrupted is not None:
        outside.say(f"{report.champion[:12] or 'nobody'} is champion: {report.reason}")
        raise interrupted
    return replace(
        report,
        package=plan.asked.package.name,
        package_hash=plan.package_hash,
        warnings=(*warnings, *report.warnings),
    )


def _promoted(workspace: Workspace, plan: DeployPlan, outside: DeployEffects) -> PromotionResult:
    """Announce the install in the journal, then promote by the rules of every promotion."""
    asked, ensemble = plan.asked, plan.rehearsed.ensemble
    why = asked.reason.strip() or f"installed from {asked.package.name}"
    begun = InstallStarted(
        plan.environment, ensemble.instrument, ensemble.hash, plan.previous_hash,
        asked.package.name, plan.package_hash, stamp(outside.now), who(), why,
        "--yes" if asked.yes else "asked",
    )  # fmt: skip
    record(workspace.journal_dir, [begun])
    outside.at("announced")
    outcome = promote(workspace, ensemble.hash, plan.environment, asked.force, why, outside.now)
    outside.at("promoted")
    return outcome


def _not_promoted(
    workspace: Workspace, plan: DeployPlan, reason: str, outside: DeployEffects
) -> DeployReport:
    """Journal the end of an install whose promotion was refused at the last moment."""
    ensemble, environment = plan.rehearsed.ensemble, plan.environment
    champion = (
        read_registry(workspace.journal_dir).champions(environment).get(ensemble.instrument, "")
    )
    end = InstallFailed(
        environment, ensemble.instrument, ensemble.hash, champion, None, reason,
        stamp(outside.now), who(),
    )  # fmt: skip
    record(workspace.journal_dir, [end])
    return DeployReport(
        "refused", environment, ensemble.instrument, ensemble.hash, champion, None, reason,
        plan.asked.package.name, plan.package_hash,
    )  # fmt: skip


def _refused(
    workspace: Workspace,
    asked: DeployRequest,
    environment: str,
    reason: str,
    outside: DeployEffects,
) -> DeployReport:
    """Journal that a package was refused."""
    name = asked.package.name
    record(
        workspace.journal_dir,
        [RequestRefused("install", name, environment, reason, stamp(outside.now), who())],
    )
    return DeployReport("refused", environment, "", "", "", None, f"{name}: {reason}", name)
