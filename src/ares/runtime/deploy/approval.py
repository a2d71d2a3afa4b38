"""From a package to an approved plan: rehearsed in staging, shown to a person, in quiet hours."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ares.adapters.model_store import ModelStore
from ares.config.workspace import Workspace
from ares.domain.errors import AresError, UserError
from ares.domain.model import Ensemble
from ares.runtime.deploy.plan import DeployEffects, DeployPlan, DeployReport, DeployRequest
from ares.runtime.deploy.quiet_hours import next_quiet
from ares.runtime.deploy.staging import staged_workspace
from ares.runtime.deploy.state import describe
from ares.runtime.deploy.verify import rehearse
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.validation.from_workspace import validation_config
from ares.runtime.validation.model_check import require_working

SAY_EVERY_S = 3600.0
"""While the quiet hours are waited for, a line says so this often."""

WAIT_STEP_S = 30.0


def approved(
    workspace: Workspace,
    asked: DeployRequest,
    environment: str,
    approve: Callable[[DeployPlan], bool],
    folder: Path,
    outside: DeployEffects,
) -> DeployPlan | DeployReport:
    """Return the plan that a person approved, in the quiet hours; or that nothing is to do."""
    package = folder / asked.package.name
    shutil.copyfile(asked.package, package)
    outside.at("package copied")
    plan = _plan(workspace, asked, environment, package, folder / "first", outside)
    if isinstance(plan, DeployReport):
        return plan
    outside.at("rehearsed")
    if plan.starts_at > outside.now() and not asked.wait:
        raise UserError(
            f"it is not quiet before {plan.starts_at:%Y-%m-%d %H:%M} UTC "
            f"(deployment.quiet_hours {workspace.settings.deployment.quiet_hours}): come back "
            "then, or leave --no-wait away to wait, or say --now"
        )
    if not approve(plan):
        raise UserError("it was not approved")
    outside.at("approved")
    if plan.starts_at <= outside.now():
        return plan
    _wait(plan.starts_at, outside)
    later = _plan(workspace, asked, environment, package, folder / "second", outside)
    if isinstance(later, DeployPlan) and later.previous_hash != plan.previous_hash:
        raise UserError(
            f"another ensemble ({later.previous_hash[:12] or 'none'}) became champion while the "
            "quiet hours were waited for: look at it, then try again"
        )
    return later


def _plan(
    workspace: Workspace,
    asked: DeployRequest,
    environment: str,
    package: Path,
    rehearsal: Path,
    outside: DeployEffects,
) -> DeployPlan | DeployReport:
    with package.open("rb") as file:
        package_hash = hashlib.file_digest(file, "sha256").hexdigest()
    if asked.sha256 and asked.sha256.lower() != package_hash:
        raise UserError(f"its SHA-256 is {package_hash}, not the one of --sha256")
    book = read_registry(workspace.journal_dir)
    champions = book.champions(environment)
    pending = {one.install.instrument: one for one in book.unfinished_installs(environment)}
    rehearsal.mkdir()
    staged = staged_workspace(workspace, rehearsal)
    rehearsed = rehearse(staged, package, environment, force=asked.force, champions=champions)
    ensemble = rehearsed.ensemble
    champion = champions.get(ensemble.instrument, "")
    open_ = pending.get(ensemble.instrument)
    resumed = open_ is not None and open_.stage == "promoted"
    if open_ is not None and resumed:
        mine = open_.install.package and open_.install.ensemble_hash == ensemble.hash
        if not mine:
            raise UserError(describe(open_))
    if champion == ensemble.hash and not resumed:
        reason = f"{ensemble.hash[:12]} is champion in {environment} already: nothing was changed"
        return DeployReport(
            "already", environment, ensemble.instrument, ensemble.hash, champion, None, reason,
            asked.package.name, package_hash,
        )  # fmt: skip
    before = open_.install.previous_hash if open_ is not None and resumed else champion
    previous, remarks = _previous(workspace, before)
    settings = workspace.settings.deployment
    now = outside.now().astimezone(UTC)
    return DeployPlan(
        asked, environment, rehearsed, package_hash, before, previous, resumed,
        now if asked.now else next_quiet(now, settings.quiet), settings.restart_command, remarks,
    )  # fmt: skip


def _previous(workspace: Workspace, ensemble_hash: str) -> tuple[Ensemble | None, tuple[str, ...]]:
    """Return the champion that a failed install goes back to, and what is wrong with it."""
    if not ensemble_hash:
        return None, ("there is no champion to go back to: if it fails, nothing trades",)
    previous = None
    try:
        previous = ModelStore(workspace.models_dir).ensemble(ensemble_hash)
        require_working(validation_config(workspace), previous)
    except AresError as error:
        return previous, (f"the champion to go back to does not work: {error}",)
    return previous, ()


def _wait(until: datetime, outside: DeployEffects) -> None:
    """Wait until the quiet hours begin, and say so."""
    said: datetime | None = None
    while (now := outside.now()) < until:
        if said is None or (now - said).total_seconds() >= SAY_EVERY_S:
            left = int((until - now).total_seconds()) // 60
            outside.say(
                f"waiting for the quiet hours: {until:%Y-%m-%d %H:%M} UTC, in {left // 60}h "
                f"{left % 60:02d}m (Ctrl-C gives up)"
            )
            said = now
        outside.sleep(min(WAIT_STEP_S, (until - now).total_seconds()))
