"""Deployment by restart: a package in, the service up again and healthy, or all as it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from ares.domain.errors import AresError, UserError
from ares.domain.model_life import InstallFailed, InstallStarted, RequestRefused
from ares.runtime.deploy.approval import approved
from ares.runtime.deploy.plan import DeployPlan, DeployReport, DeployRequest
from ares.runtime.deploy.policy import DeployContext
from ares.runtime.deploy.proof import prove, revert
from ares.runtime.deploy.service import ExpectedChampion, Service
from ares.runtime.deploy.staging import clean_stale, one_at_a_time, staging
from ares.runtime.lifecycle.bundle_import import import_models
from ares.runtime.lifecycle.promotion import PromotionResult, promote
from ares.runtime.registry.model_journal import read_registry, record, stamp, who
from ares.runtime.validation.target import require_environment


def install(
    context: DeployContext, request: DeployRequest, approve: Callable[[DeployPlan], bool]
) -> DeployReport:
    """Put a package into service: staged, verified, approved, promoted, restarted, healthy.

    Where the service does not come up, the previous champion is promoted again and the service is
    restarted with it. A refusal is journaled and changes nothing.

    Raises UserError for a wrong request, ExternalError where another deployment runs.
    """
    environment = permitted(context, request.to)
    _require_valid(request)
    service = Service(context)
    service.require_commands()
    temporary = context.effects.temporary
    with one_at_a_time(context.paths):
        clean_stale(context.paths, temporary)
        with staging(context.paths, temporary) as folder:
            context.effects.checkpoint("staging made")
            try:
                plan = approved(context, request, environment, approve, folder)
            except AresError as refusal:
                name = request.package.name
                reason = str(refusal).replace(str(folder / name), name).removeprefix(f"{name}: ")
                return _refused(context, request, environment, reason)
            except KeyboardInterrupt:
                reason = "interrupted by a person, before anything was changed"
                _refused(context, request, environment, reason)
                raise
            if isinstance(plan, DeployReport):
                return plan
            return _carry_out(context, plan, service)


def permitted(context: DeployContext, to: str | None) -> str:
    """Return the environment; raise UserError where nothing may be deployed to it from here."""
    environment = to or context.policy.environment
    require_environment(environment)
    if environment == "history":
        raise UserError("history has no service to restart: `ares models promote` is enough")
    if not context.policy.by_restart:
        raise UserError(
            "deployment.policy is hot_swap: `ares models import` and `ares models promote` put a "
            "model into use; set deployment.policy to restart for `ares deploy`"
        )
    root = context.paths.root
    owner = root.stat().st_uid
    if os.geteuid() != owner:
        raise UserError(
            f"{root} belongs to user {owner}: deploy as that user (sudo -u), so that the service "
            "can read and write what is installed"
        )
    return environment


def _require_valid(request: DeployRequest) -> None:
    if request.package.is_dir():
        raise UserError(
            f"{request.package}: is a folder, and a package is a file: `ares models export "
            "ENSEMBLE FILE.zip`"
        )
    if not request.package.is_file():
        raise UserError(
            f"{request.package}: there is no such file: `ares models export ENSEMBLE FILE.zip` "
            "makes it where models are trained"
        )
    if request.force and not request.reason.strip():
        raise UserError("a forced install needs a reason: --reason TEXT")


def _carry_out(context: DeployContext, plan: DeployPlan, service: Service) -> DeployReport:
    """Install what was approved; from the promotion on, every failure is undone."""
    ensemble, environment, effects = plan.rehearsed.ensemble, plan.environment, context.effects
    if not plan.resumed:
        import_models(
            context.paths, context.validation(), plan.rehearsed.bundle, plan.request.package.name,
            verdicts=True, checkpoint=effects.checkpoint, now=effects.now,
        )  # fmt: skip
    interrupted: KeyboardInterrupt | None = None
    try:
        if not plan.resumed:
            outcome = _promoted(context, plan)
            if outcome.refused:
                return _not_promoted(context, plan, outcome.refused[0])
        expected = ExpectedChampion(environment, ensemble.instrument, ensemble.hash)
        problem = prove(context, service, expected)
    except KeyboardInterrupt as error:
        problem, interrupted = "interrupted by a person", error
    report = _outcome(context, plan, service, problem)
    if interrupted is not None:
        effects.say(f"{report.champion[:12] or 'no ensemble'} is champion: {report.reason}")
        raise interrupted
    return replace(report, package=plan.request.package.name, package_hash=plan.package_hash)


def _outcome(
    context: DeployContext, plan: DeployPlan, service: Service, problem: str | None
) -> DeployReport:
    """Return the report of an install; where there is a problem, after the promotion is undone."""
    ensemble, environment = plan.rehearsed.ensemble, plan.environment
    if problem is None:
        checks = context.policy.service.checks
        reason = f"healthy {checks} times in a row with {ensemble.hash[:12]}"
        return DeployReport(
            "installed", environment, ensemble.instrument, ensemble.hash, ensemble.hash, True,
            reason,
        )  # fmt: skip
    registry = read_registry(context.paths.journals)
    last = registry.last_promotion(environment, ensemble.instrument)
    if last is not None and last.ensemble_hash == ensemble.hash:
        return revert(context, last, problem, service)
    return _not_promoted(context, plan, problem)


def _promoted(context: DeployContext, plan: DeployPlan) -> PromotionResult:
    """Announce the install in the journal, then promote by the rules of every promotion."""
    request, ensemble, now = plan.request, plan.rehearsed.ensemble, context.effects.now
    reason = request.reason.strip() or f"installed from {request.package.name}"
    announced = InstallStarted(
        plan.environment, ensemble.instrument, ensemble.hash, plan.previous_hash,
        request.package.name, plan.package_hash, stamp(now), who(), reason,
        "--yes" if request.yes else "at the terminal",
    )  # fmt: skip
    record(context.paths.journals, [announced])
    context.effects.checkpoint("announced")
    outcome = promote(
        context.paths, context.validation, ensemble.hash, plan.environment, request.force,
        reason, now,
    )  # fmt: skip
    context.effects.checkpoint("promoted")
    return outcome


def _not_promoted(context: DeployContext, plan: DeployPlan, reason: str) -> DeployReport:
    """Journal the end of an install whose promotion was refused at the last moment."""
    ensemble, environment = plan.rehearsed.ensemble, plan.environment
    champion = read_registry(context.paths.journals).champion(environment, ensemble.instrument)
    end = InstallFailed(
        environment, ensemble.instrument, ensemble.hash, champion, None, reason,
        stamp(context.effects.now), who(),
    )  # fmt: skip
    record(context.paths.journals, [end])
    return DeployReport(
        "refused", environment, ensemble.instrument, ensemble.hash, champion, None, reason,
        plan.request.package.name, plan.package_hash,
    )  # fmt: skip


def _refused(
    context: DeployContext, request: DeployRequest, environment: str, reason: str
) -> DeployReport:
    """Journal that a package was refused."""
    name = request.package.name
    refusal = RequestRefused(
        "install", name, environment, reason, stamp(context.effects.now), who()
    )
    record(context.paths.journals, [refusal])
    return DeployReport("refused", environment, "", "", "", None, f"{name}: {reason}", name)
