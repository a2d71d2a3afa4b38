"""Back to the champion before, by restart: at once, since whoever asks for it is in trouble."""

from __future__ import annotations

from collections.abc import Callable

from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.model_life import InstallFailed, InstallStarted
from ares.runtime.deploy.install import permitted, service_of
from ares.runtime.deploy.plan import DeployEffects, DeployReport
from ares.runtime.deploy.proof import go_back, prove, settle
from ares.runtime.deploy.service import ExpectedChampion, Service
from ares.runtime.deploy.staging import clean_stale, one_at_a_time
from ares.runtime.deploy.state import describe
from ares.runtime.lifecycle.promotion import rollback as roll_back
from ares.runtime.lifecycle.promotion import rollback_target
from ares.runtime.registry.model_journal import read_registry, record, stamp, who
from ares.runtime.registry.registry_state import UnfinishedInstall

UNDONE = "taken back by a person"


def rollback(
    workspace: Workspace,
    symbol: str | None,
    to: str | None,
    reason: str,
    yes: bool,
    approve: Callable[[str], bool],
    outside: DeployEffects | None = None,
) -> DeployReport:
    """Put the champion before back into service, or finish what was interrupted.

    An install that was interrupted is taken back. Else the newest former champion that may come
    back does, as ``models rollback`` chooses it, and the present one is archived. Where the service
    does not come up with it, that is said, and nothing more is changed.

    approve : asked with the sentence of what will happen; not asked where ``yes``.
    Raises UserMistake where it is not clear what is meant.
    """
    outside = outside or DeployEffects()
    environment = permitted(workspace, to)
    service = service_of(workspace, outside)
    service.require_commands()
    with one_at_a_time(workspace):
        clean_stale(workspace, outside.temporary)
        pending = [
            one
            for one in read_registry(workspace.journal_dir).unfinished_installs(environment)
            if one.stage != "announced" and symbol in (None, *_names(one.install.instrument))
        ]
        if len(pending) > 1:
            named = ", ".join(one.install.instrument for one in pending)
            raise UserError(f"several installs were interrupted ({named}): name the symbol")
        if pending:
            if not (yes or approve(describe(pending[0]))):
                return _left(workspace, pending[0].install, environment)
            return _finish(workspace, pending[0], reason, service, outside)
        instrument, present, former = rollback_target(workspace, symbol, environment)
        if not former:
            raise UserError(
                f"{instrument} has no champion before in {environment} that may come back"
            )
        begun = InstallStarted(
            environment, instrument, former, present, "", "", stamp(outside.now), who(),
            reason or "rollback", "--yes" if yes else "asked",
        )  # fmt: skip
        sentence = (
            f"{instrument}: {former[:12]} becomes champion in {environment} again, "
            f"{present[:12]} is archived for good, and the service is restarted now"
        )
        if not (yes or approve(sentence)):
            return _left(workspace, begun, environment)
        record(workspace.journal_dir, [begun])
        outside.at("announced")
        outcome = roll_back(workspace, instrument, former, environment, begun.reason, outside.now)
        outside.at("promoted")
        if outcome.refused:
            end = InstallFailed(
                environment, instrument, former, present, None, outcome.refused[0],
                stamp(outside.now), who(),
            )  # fmt: skip
            record(workspace.journal_dir, [end])
            return DeployReport(
                "refused", environment, instrument, former, present, None, outcome.refused[0]
            )
        return _served(workspace, begun, service, outside, outcome.warnings)


def _finish(
    workspace: Workspace,
    open_: UnfinishedInstall,
    reason: str,
    service: Service,
    outside: DeployEffects,
) -> DeployReport:
    """Bring an interrupted deployment to an end: backwards, but for a rollback."""
    one = open_.install
    if open_.stage == "promoted" and not one.package:  # of a rollback: forwards is back
        return _served(workspace, one, service, outside, ())
    registry = read_registry(workspace.journal_dir)
    last = registry.last_promotion(one.environment, one.instrument)
    assert last is not None  # it was promoted, or taken back
    if open_.stage == "promoted":
        return go_back(workspace, last, reason or UNDONE, service, outside)
    return settle(workspace, one, last.reason, service, outside)


def _served(
    workspace: Workspace,
    begun: InstallStarted,
    service: Service,
    outside: DeployEffects,
    warnings: tuple[str, ...],
) -> DeployReport:
    """Restart the service with the former champion, and say how it went."""
    environment, instrument, former = begun.environment, begun.instrument, begun.ensemble_hash
    wrong = prove(workspace, service, ExpectedChampion(environment, instrument, former), outside)
    if wrong is None:
        reason = f"healthy again with {former[:12]}"
        return DeployReport(
            "rolled back", environment, instrument, former, former, True, reason, warnings=warnings
        )
    end = InstallFailed(
        environment, instrument, former, former, False, wrong, stamp(outside.now), who()
    )
    record(workspace.journal_dir, [end])
    return DeployReport(
        "down", environment, instrument, former, former, False, wrong, warnings=warnings
    )


def _left(workspace: Workspace, one: InstallStarted, environment: str) -> DeployReport:
    champion = read_registry(workspace.journal_dir).champions(environment).get(one.instrument, "")
    return DeployReport(
        "refused", environment, one.instrument, one.ensemble_hash, champion, None,
        "it was not approved: nothing was changed",
    )  # fmt: skip


def _names(instrument: str) -> tuple[str, str]:
    return instrument, instrument.partition(":")[2]
