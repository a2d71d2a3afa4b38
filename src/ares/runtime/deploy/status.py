"""The state of deployments: champions, interrupted installs, and whether the service is running."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ares.domain.errors import ExternalError
from ares.domain.model_life import InstallCompleted, InstallFailed
from ares.runtime.deploy.policy import DeployContext
from ares.runtime.deploy.quiet_hours import next_quiet
from ares.runtime.deploy.service import ExpectedChampion, Service
from ares.runtime.deploy.staging import clean_stale, one_at_a_time, require_none_runs
from ares.runtime.deploy.state import describe
from ares.runtime.lifecycle.served_champions import ServedChampion, served_champions
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.validation.target import require_environment


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """The service's newest heartbeat. serves: whether it serves every champion, and no other."""

    age_seconds: float
    alive: bool
    pid: int
    environment: str
    champions: dict[str, str]
    serves: bool


@dataclass(frozen=True, slots=True)
class DeployStatus:
    """The state of the deployments of one environment.

    champions  : ensemble hash by instrument.
    served     : where the run has another champion than the registry.
    unreadable : a line where the run's journal cannot be read.
    newest_installs: how each instrument's newest install ended.
    interrupted : a sentence for each interrupted install; where its lock cannot be read, it says
                 that the install may still be under way.
    running    : the deployment that runs now. removed: staging folders that were removed just now.
    health     : by instrument, the problem by ``deployment.health_command``, run just now (empty:
                 healthy); none where the service is known by its heartbeat.
    """

    environment: str
    policy: str
    champions: dict[str, str]
    newest_installs: dict[str, InstallCompleted | InstallFailed]
    interrupted: tuple[str, ...]
    running: str | None
    removed: tuple[Path, ...]
    quiet_hours: str
    quiet_from: datetime
    quiet: bool
    heartbeat: ServiceHealth | None
    health: dict[str, str]
    served: tuple[ServedChampion, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def down(self) -> tuple[str, ...]:
        """Return the instruments whose service did not come up, and was not seen healthy since."""
        heartbeat = self.heartbeat
        alive = not self.health and heartbeat is not None and heartbeat.alive and heartbeat.serves
        return tuple(
            key
            for key, end in self.newest_installs.items()
            if isinstance(end, InstallFailed)
            and end.healthy is False
            and self.champions.get(key, "") == end.restored_hash
            and not (alive or self.health.get(key) == "")
        )

    @property
    def ok(self) -> bool:
        """Return whether no install was interrupted, and no service was left down."""
        return not self.interrupted and not self.down


def deploy_status(context: DeployContext, to: str | None) -> DeployStatus:
    """Return the state of deployments; staging folders of killed ones are removed."""
    policy = context.policy
    environment = to or policy.environment
    require_environment(environment)
    removed, running, doubt = _remove_stale(context)
    registry = read_registry(context.paths.journals)
    champions = registry.champions(environment)
    instruments = dict.fromkeys(
        record.instrument
        for record in registry.records
        if isinstance(record, InstallCompleted | InstallFailed)
    )
    ends = {key: registry.last_install(environment, key) for key in instruments}
    unfinished = registry.unfinished_installs(environment)
    served, unreadable = served_champions(context.paths.journals, registry, [environment])
    now = context.effects.now().astimezone(UTC)
    quiet_from = next_quiet(now, policy.quiet)
    return DeployStatus(
        environment,
        "restart" if policy.by_restart else "hot_swap",
        champions,
        {key: end for key, end in ends.items() if end is not None},
        () if running else tuple(describe(install) + doubt for install in unfinished),
        running,
        removed,
        policy.quiet_hours,
        quiet_from,
        quiet_from == now,
        _service_health(context, _expected(champions, served), environment, now),
        {} if running else _health(context, champions, environment),
        served,
        unreadable,
    )


def _expected(champions: dict[str, str], served: Sequence[ServedChampion]) -> dict[str, str]:
    """Return what a healthy service serves: what its engine changed by itself is as it should be,
    what the registry changed since is not there yet.
    """
    own = {row.instrument: row.ensemble_hash for row in served if not row.is_pending}
    return {key: champion for key, champion in (champions | own).items() if champion}


def _remove_stale(context: DeployContext) -> tuple[tuple[Path, ...], str | None, str]:
    """Remove what killed deployments left; return it, the deployment that runs, and the doubt."""
    paths, temporary = context.paths, context.effects.temporary
    try:
        try:
            with one_at_a_time(paths):
                return clean_stale(paths, temporary), None, ""
        except OSError:  # a disk that cannot be written can still be read
            require_none_runs(paths)
            return (), None, ""
    except ExternalError as error:
        return (), str(error), ""
    except OSError as error:
        return (), None, f" (unless it is still under way, which is unknown: {error})"


def _health(context: DeployContext, champions: dict[str, str], environment: str) -> dict[str, str]:
    """Return the health command's result for each champion; nothing where there is none."""
    if context.policy.service.health_command is None:
        return {}
    service = Service(context)
    problems = {
        key: service.problem(ExpectedChampion(environment, key, champion), 0, None)
        for key, champion in champions.items()
    }
    return {key: problem or "" for key, problem in problems.items()}


def _service_health(
    context: DeployContext, champions: dict[str, str], environment: str, now: datetime
) -> ServiceHealth | None:
    found = Service(context).heartbeat()
    if found is None:
        return None
    age_s = now.timestamp() - found.at_ms / 1000.0
    return ServiceHealth(
        age_s,
        age_s <= context.policy.service.heartbeat_seconds_max,
        found.pid,
        found.environment,
        found.champions,
        (found.environment, found.champions) == (environment, champions),
    )
