"""After a promotion: the service proven with the new champion, or brought back with the old one."""

from __future__ import annotations

from ares.config.workspace import Workspace
from ares.domain.model_life import EnsemblePromoted, InstallCompleted, InstallFailed, InstallStarted
from ares.runtime.deploy.plan import DeployEffects, DeployReport, Result
from ares.runtime.deploy.service import ExpectedChampion, Service
from ares.runtime.registry.model_journal import read_registry, record, stamp, who, writing

LOCK_WAIT_S = 10.0


def prove(
    workspace: Workspace, service: Service, wanted: ExpectedChampion, outside: DeployEffects
) -> str | None:
    """Restart the service and journal that it serves ``wanted``; else return what is wrong."""
    wrong = service.bring_up(wanted)
    outside.at("restarted")
    if wrong is None:
        end = InstallCompleted(
            wanted.environment, wanted.instrument, wanted.ensemble_hash,
            workspace.settings.deployment.health_checks, stamp(outside.now), who(),
        )  # fmt: skip
        record(workspace.journal_dir, [end])
        outside.at("installed")
    return wrong


def go_back(
    workspace: Workspace,
    failed: EnsemblePromoted,
    reason: str,
    service: Service,
    outside: DeployEffects,
) -> DeployReport:
    """Undo a promotion, bring the service up with the champion before, and journal how it went."""
    outside.say(f"{reason}: going back to {failed.previous_hash[:12] or 'no champion'}")
    warnings = _take_back(workspace, failed, reason, outside)
    outside.at("taken back")
    return settle(workspace, failed, reason, service, outside, warnings)


def settle(
    workspace: Workspace,
    failed: EnsemblePromoted | InstallStarted,
    reason: str,
    service: Service,
    outside: DeployEffects,
    warnings: tuple[str, ...] = (),
) -> DeployReport:
    """Bring the service up with whoever is champion now, after ``failed`` did not come up."""
    environment, instrument = failed.environment, failed.instrument
    champion = read_registry(workspace.journal_dir).champions(environment).get(instrument, "")
    wrong = service.bring_up(ExpectedChampion(environment, instrument, champion))
    outside.at("restarted with the one before")
    if wrong is not None:
        reason = f"{reason}; with {champion[:12] or 'no champion'} it is not up either: {wrong}"
    end = InstallFailed(
        environment, instrument, failed.ensemble_hash, champion, wrong is None, reason,
        stamp(outside.now), who(),
    )  # fmt: skip
    record(workspace.journal_dir, [end])
    outside.at("failure recorded")
    result: Result = "taken back" if wrong is None else "down"
    return DeployReport(
        result, environment, instrument, failed.ensemble_hash, champion, wrong is None, reason,
        warnings=warnings,
    )  # fmt: skip


def _take_back(
    workspace: Workspace, failed: EnsemblePromoted, reason: str, outside: DeployEffects
) -> tuple[str, ...]:
    """Make the champion before (or nobody) champion again; return what must be said.

    Nothing is archived: that a service did not start is no evidence against a model. The one that
    comes back is not tried first, since it served until a moment ago and the other does not. Where
    somebody else has promoted meanwhile, that one stays.
    """
    with writing(workspace.journal_dir, LOCK_WAIT_S) as append:
        book = read_registry(workspace.journal_dir)
        present = book.champions(failed.environment).get(failed.instrument, "")
        if present != failed.ensemble_hash:
            return (f"{present[:12] or 'nobody'} became champion meanwhile, and stays",)
        one = EnsemblePromoted(
            failed.environment, failed.instrument, failed.previous_hash, failed.ensemble_hash,
            stamp(outside.now), who(), reason, False,
            book.passing_verdict(failed.previous_hash, failed.environment), taken_back=True,
        )  # fmt: skip
        append(one)
    return ()
