"""From a package to an approved plan: rehearsed in staging, shown to a person, in quiet hours."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ares.adapters.model_store import ModelStore
from ares.config.workspace import Workspace
from ares.domain.errors import AresError, UserMistake
from ares.domain.model import Ensemble
from ares.runtime.deploy_plan import Asked, Outside, Plan, Report
from ares.runtime.deploy_staging import staged_workspace
from ares.runtime.deploy_state import unfinished
from ares.runtime.deploy_verify import rehearse
from ares.runtime.model_check import insist_it_works
from ares.runtime.model_journal import read_book
from ares.runtime.quiet_hours import next_quiet

SAY_EVERY_S = 3600.0
"""While the quiet hours are waited for, a line says so this often."""

WAIT_STEP_S = 30.0


def approved(
    workspace: Workspace,
    asked: Asked,
    environment: str,
    approve: Callable[[Plan], bool],
    folder: Path,
    outside: Outside,
) -> Plan | Report:
    """Return the plan that a person approved, in the quiet hours; or that nothing is to do."""
    package = folder / asked.package.name
    shutil.copyfile(asked.package, package)
    outside.at("package copied")
    plan = _plan(workspace, asked, environment, package, folder / "first", outside)
    if isinstance(plan, Report):
        return plan
    outside.at("rehearsed")
    if plan.starts_at > outside.now() and not asked.wait:
        raise UserMistake(
            f"it is not quiet before {plan.starts_at:%Y-%m-%d %H:%M} UTC "
            f"(deployment.quiet_hours {workspace.settings.deployment.quiet_hours}): come back "
            "then, or leave --no-wait away to wait, or say --now"
        )
    if not approve(plan):
        raise UserMistake("it was not approved")
    outside.at("approved")
    if plan.starts_at <= outside.now():
        return plan
    _wait(plan.starts_at, outside)
    later = _plan(workspace, asked, environment, package, folder / "second", outside)
    if isinstance(later, Plan) and later.previous_hash != plan.previous_hash:
        raise UserMistake(
            f"another ensemble ({later.previous_hash[:12] or 'none'}) became champion while the "
            "quiet hours were waited for: look at it, then try again"
        )
    return later


def _plan(
    workspace: Workspace,
    asked: Asked,
    environment: str,
    package: Path,
    rehearsal: Path,
    outside: Outside,
) -> Plan | Report:
    with package.open("rb") as file:
        package_hash = hashlib.file_digest(file, "sha256").hexdigest()
    if asked.sha256 and asked.sha256.lower() != package_hash:
        raise UserMistake(f"its SHA-256 is {package_hash}, not the one of --sha256")
    book = read_book(workspace.journal_dir)
    champions = book.champions(environment)
    pending = {one.install.instrument: one for one in unfinished(book.records, environment)}
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
            raise UserMistake(open_.sentence)
    if champion == ensemble.hash and not resumed:
        reason = f"{ensemble.hash[:12]} is champion in {environment} already: nothing was changed"
        return Report(
            "already", environment, ensemble.instrument, ensemble.hash, champion, None, reason,
            asked.package.name, package_hash,
        )  # fmt: skip
    before = open_.install.previous_hash if open_ is not None and resumed else champion
    previous, remarks = _previous(workspace, before)
    settings = workspace.settings.deployment
    now = outside.now().astimezone(UTC)
    return Plan(
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
        insist_it_works(workspace, previous)
    except AresError as error:
        return previous, (f"the champion to go back to does not work: {error}",)
    return previous, ()


def _wait(until: datetime, outside: Outside) -> None:
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
