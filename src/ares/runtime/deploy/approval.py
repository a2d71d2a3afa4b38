"""From a package to an approved plan: rehearsed in staging, shown to a person, in quiet hours."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ares.adapters.model_store import ModelStore
from ares.domain.errors import AresError, UserError
from ares.domain.model import Ensemble
from ares.domain.utc import utc_text
from ares.runtime.deploy.plan import DeployPlan, DeployReport, DeployRequest
from ares.runtime.deploy.policy import DeployContext, DeployEffects
from ares.runtime.deploy.quiet_hours import next_quiet
from ares.runtime.deploy.state import describe
from ares.runtime.deploy.verify import rehearse
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.validation.stored_models import require_working

SAY_EVERY_S = 3600.0
"""A line is printed this often during the wait for the quiet hours."""

WAIT_STEP_S = 30.0


def approved(
    context: DeployContext,
    request: DeployRequest,
    environment: str,
    approve: Callable[[DeployPlan], bool],
    folder: Path,
) -> DeployPlan | DeployReport:
    """Return the plan that a person approved, in the quiet hours; or that nothing is to do.

    folder : staging.
    """
    effects = context.effects
    package = folder / request.package.name
    shutil.copyfile(request.package, package)
    effects.checkpoint("package copied")
    plan = _plan(context, request, environment, package, folder / "first")
    if isinstance(plan, DeployReport):
        return plan
    effects.checkpoint("rehearsed")
    if plan.starts_at > effects.now() and not request.wait:
        raise UserError(
            f"the quiet hours ({context.policy.quiet_hours} UTC) begin at "
            f"{utc_text(plan.starts_at)} UTC: install then, wait for them (without "
            "--no-wait), or install at once (--now)"
        )
    if not approve(plan):
        raise UserError("it was not approved")
    effects.checkpoint("approved")
    if plan.starts_at <= effects.now():
        return plan
    _wait(plan.starts_at, effects)
    later = _plan(context, request, environment, package, folder / "second")
    if isinstance(later, DeployPlan) and later.previous_hash != plan.previous_hash:
        raise UserError(
            f"another ensemble ({later.previous_hash[:12] or 'none'}) became champion during the "
            "wait for the quiet hours: look at it, then try again"
        )
    return later


def _plan(
    context: DeployContext,
    request: DeployRequest,
    environment: str,
    package: Path,
    rehearsal: Path,
) -> DeployPlan | DeployReport:
    with package.open("rb") as file:
        package_hash = hashlib.file_digest(file, "sha256").hexdigest()
    if request.sha256 and request.sha256.lower() != package_hash:
        raise UserError(f"its SHA-256 is {package_hash}, not the one of --sha256")
    registry = read_registry(context.paths.journals)
    unfinished = {u.install.instrument: u for u in registry.unfinished_installs(environment)}
    rehearsal.mkdir()
    rehearsed = rehearse(
        context,
        package,
        environment,
        rehearsal,
        force=request.force,
        champions=registry.champions(environment),
    )
    ensemble = rehearsed.ensemble
    champion = registry.champion(environment, ensemble.instrument)
    interrupted = unfinished.get(ensemble.instrument)
    resumed = interrupted is not None and interrupted.stage == "promoted"
    if interrupted is not None and resumed:
        install = interrupted.install
        if not install.package or install.ensemble_hash != ensemble.hash:
            raise UserError(describe(interrupted))
    if champion == ensemble.hash and not resumed:
        reason = f"{ensemble.hash[:12]} is champion in {environment} already: nothing was changed"
        return DeployReport(
            "already", environment, ensemble.instrument, ensemble.hash, champion, None, reason,
            request.package.name, package_hash,
        )  # fmt: skip
    previous_hash = champion
    if interrupted is not None and resumed:
        previous_hash = interrupted.install.previous_hash
    previous, remarks = _previous(context, previous_hash)
    now = context.effects.now().astimezone(UTC)
    starts_at = now if request.now else next_quiet(now, context.policy.quiet)
    return DeployPlan(
        request, environment, rehearsed, package_hash, previous_hash, previous, resumed, starts_at,
        context.policy.service.restart_command, remarks,
    )  # fmt: skip


def _previous(
    context: DeployContext, ensemble_hash: str
) -> tuple[Ensemble | None, tuple[str, ...]]:
    """Return the champion that a failed install goes back to, and its problems."""
    if not ensemble_hash:
        return None, ("there is no previous champion: if the install fails, nothing trades",)
    previous = None
    try:
        previous = ModelStore(context.paths.models).ensemble(ensemble_hash)
        require_working(context.validation(), previous)
    except AresError as error:
        return previous, (f"the previous champion does not work: {error}",)
    return previous, ()


def _wait(until: datetime, effects: DeployEffects) -> None:
    """Wait until the quiet hours begin; print how long that takes."""
    printed: datetime | None = None
    while (now := effects.now()) < until:
        if printed is None or (now - printed).total_seconds() >= SAY_EVERY_S:
            minutes = int((until - now).total_seconds()) // 60
            effects.say(
                f"waiting for the quiet hours: {utc_text(until)} UTC, in {minutes // 60}h "
                f"{minutes % 60:02d}m (Ctrl-C gives up)"
            )
            printed = now
        effects.sleep(min(WAIT_STEP_S, (until - now).total_seconds()))
