"""Back to the previous champion, by restart, at once and without quiet hours."""

from __future__ import annotations

from collections.abc import Callable

from ares.domain.errors import NothingToDo, UserError
from ares.domain.instrument import is_called
from ares.domain.model_life import InstallFailed, InstallStarted
from ares.runtime.deploy.install import permitted
from ares.runtime.deploy.plan import DeployReport
from ares.runtime.deploy.policy import DeployContext
from ares.runtime.deploy.proof import prove, restart_after_failure, revert
from ares.runtime.deploy.service import ExpectedChampion, Service
from ares.runtime.deploy.staging import clean_stale, one_at_a_time
from ares.runtime.deploy.state import describe
from ares.runtime.lifecycle.rollback import rollback as roll_back
from ares.runtime.lifecycle.rollback import rollback_target
from ares.runtime.registry.model_journal import read_registry, record, stamp, who
from ares.runtime.registry.registry_state import UnfinishedInstall

REVERTED = "reverted by a person"


def rollback(
    context: DeployContext,
    symbol: str | None,
    to: str | None,
    reason: str,
    yes: bool,
    approve: Callable[[str], bool],
) -> DeployReport:
    """Put the previous champion back into service, or finish an interrupted deployment.

    An interrupted install is reverted. Otherwise the newest former champion that can be restored is
    promoted, as ``models rollback`` chooses it, and the present one is archived. Where the service
    does not come up with it, the report says so, and nothing more is changed.

    approve : called with the sentence of what will happen; not called where ``yes``.
    Raises UserError where the request is ambiguous.
    """
    environment = permitted(context, to)
    service = Service(context)
    service.require_commands()
    with one_at_a_time(context.paths):
        clean_stale(context.paths, context.effects.temporary)
        unfinished = _unfinished(context, environment, symbol)
        if unfinished is not None:
            if not (yes or approve(describe(unfinished))):
                return _not_approved(context, unfinished.install)
            return _finish(context, unfinished, reason, service)
        return _roll_back(context, environment, symbol, reason, yes, approve, service)


def _unfinished(
    context: DeployContext, environment: str, symbol: str | None
) -> UnfinishedInstall | None:
    """Return the interrupted install that a rollback is about; None: there is none."""
    found = [
        unfinished
        for unfinished in read_registry(context.paths.journals).unfinished_installs(environment)
        if unfinished.stage != "announced"
        and (symbol is None or is_called(unfinished.install.instrument, symbol))
    ]
    if len(found) > 1:
        named = ", ".join(unfinished.install.instrument for unfinished in found)
        raise UserError(f"several installs were interrupted ({named}): name the symbol")
    return found[0] if found else None


def _roll_back(
    context: DeployContext,
    environment: str,
    symbol: str | None,
    reason: str,
    yes: bool,
    approve: Callable[[str], bool],
    service: Service,
) -> DeployReport:
    """Promote the previous champion and restart the service with it."""
    paths, effects = context.paths, context.effects
    instrument, champion, previous = rollback_target(paths, symbol, environment)
    if not previous:
        raise NothingToDo(
            f"{instrument} has no former champion in {environment} that can be restored"
        )
    announced = InstallStarted(
        environment, instrument, previous, champion, "", "", stamp(effects.now), who(),
        reason or "rollback", "--yes" if yes else "at the terminal",
    )  # fmt: skip
    sentence = (
        f"{instrument}: {previous[:12]} becomes champion in {environment} again, "
        f"{champion[:12]} is archived for good, and the service is restarted now"
    )
    if not (yes or approve(sentence)):
        return _not_approved(context, announced)
    record(paths.journals, [announced])
    effects.checkpoint("announced")
    outcome = roll_back(
        paths, context.validation, instrument, previous, environment, announced.reason, effects.now
    )
    effects.checkpoint("promoted")
    if outcome.refused:
        refusal = outcome.refused[0]
        end = InstallFailed(
            environment, instrument, previous, champion, None, refusal, stamp(effects.now), who()
        )
        record(paths.journals, [end])
        return DeployReport("refused", environment, instrument, previous, champion, None, refusal)
    return _served(context, announced, service)


def _finish(
    context: DeployContext, unfinished: UnfinishedInstall, reason: str, service: Service
) -> DeployReport:
    """Finish an interrupted deployment: an install is reverted, a rollback is completed."""
    install = unfinished.install
    if unfinished.stage == "promoted" and not install.package:  # of a rollback
        return _served(context, install, service)
    registry = read_registry(context.paths.journals)
    last = registry.last_promotion(install.environment, install.instrument)
    assert last is not None  # it was promoted, or reverted
    if unfinished.stage == "promoted":
        return revert(context, last, reason or REVERTED, service)
    return restart_after_failure(context, install, last.reason, service)


def _served(context: DeployContext, announced: InstallStarted, service: Service) -> DeployReport:
    """Restart the service with the former champion, and report how it went."""
    environment, instrument = announced.environment, announced.instrument
    ensemble_hash = announced.ensemble_hash
    problem = prove(context, service, ExpectedChampion(environment, instrument, ensemble_hash))
    if problem is None:
        reason = f"healthy again with {ensemble_hash[:12]}"
        return DeployReport(
            "rolled_back", environment, instrument, ensemble_hash, ensemble_hash, True, reason
        )
    end = InstallFailed(
        environment, instrument, ensemble_hash, ensemble_hash, False, problem,
        stamp(context.effects.now), who(),
    )  # fmt: skip
    record(context.paths.journals, [end])
    return DeployReport(
        "down", environment, instrument, ensemble_hash, ensemble_hash, False, problem
    )


def _not_approved(context: DeployContext, install: InstallStarted) -> DeployReport:
    registry = read_registry(context.paths.journals)
    champion = registry.champion(install.environment, install.instrument)
    return DeployReport(
        "refused", install.environment, install.instrument, install.ensemble_hash, champion, None,
        "it was not approved: nothing was changed",
    )  # fmt: skip
