"""Where deployments stand: who is champion, what was interrupted, whether the service lives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ares.config.workspace import Workspace
from ares.domain.errors import ExternalError
from ares.domain.model_life import InstallCompleted, InstallFailed
from ares.runtime.deploy.install import service_of
from ares.runtime.deploy.plan import DeployEffects
from ares.runtime.deploy.quiet_hours import next_quiet
from ares.runtime.deploy.service import ExpectedChampion
from ares.runtime.deploy.staging import clean_stale, one_at_a_time, require_none_runs
from ares.runtime.deploy.state import describe
from ares.runtime.engine.heartbeat import read_heartbeat
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.validation.validate import require_environment


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """The service's newest heartbeat. serves : whether it serves every champion, and no other."""

    age_seconds: float
    alive: bool
    pid: int
    environment: str
    champions: dict[str, str]
    serves: bool


@dataclass(frozen=True, slots=True)
class DeployStatus:
    """Everything that a person asks of deployments in one environment.

    champions  : ensemble hash by instrument. ends: how each one's newest install ended.
    unfinished : a sentence for each install that was interrupted; where its lock may not be read,
                 that it may be under way.
    under_way  : the deployment that runs now. cleaned: staging folders taken away just now.
    health     : by instrument, what is wrong by ``deployment.health_command``, asked just now
                 (empty: it is healthy); none where the service is known by its heartbeat.
    """

    environment: str
    policy: str
    champions: dict[str, str]
    ends: dict[str, InstallCompleted | InstallFailed]
    unfinished: tuple[str, ...]
    under_way: str | None
    cleaned: tuple[Path, ...]
    quiet_hours: str
    quiet_from: datetime
    quiet: bool
    heartbeat: ServiceHealth | None
    health: dict[str, str]

    @property
    def down(self) -> tuple[str, ...]:
        """Return the instruments whose service did not come up, and was not seen healthy since."""
        beat = self.heartbeat
        alive = not self.health and beat is not None and beat.alive and beat.serves
        return tuple(
            key
            for key, end in self.ends.items()
            if isinstance(end, InstallFailed)
            and end.healthy is False
            and self.champions.get(key, "") == end.restored_hash
            and not (alive or self.health.get(key) == "")
        )

    @property
    def settled(self) -> bool:
        """Return whether nothing was interrupted, and no service was left down."""
        return not self.unfinished and not self.down


def deploy_status(workspace: Workspace, to: str | None, outside: DeployEffects) -> DeployStatus:
    """Return where deployments stand; what a killed one left in staging is taken away."""
    settings = workspace.settings
    environment = to or settings.live_trading.mode
    require_environment(environment)
    cleaned, running, doubt = _looked_after(workspace, outside.temporary)
    book = read_registry(workspace.journal_dir)
    champions = book.champions(environment)
    ends = {key: book.last_install(environment, key) for key in _instruments(book.records)}
    now = outside.now().astimezone(UTC)
    quiet_from = next_quiet(now, settings.deployment.quiet)
    return DeployStatus(
        environment,
        settings.deployment.policy,
        champions,
        {key: end for key, end in ends.items() if end is not None},
        ()
        if running
        else tuple(describe(o) + doubt for o in book.unfinished_installs(environment)),
        running,
        cleaned,
        settings.deployment.quiet_hours,
        quiet_from,
        quiet_from == now,
        _pulse(workspace, champions, environment, now),
        {} if running else _health(workspace, champions, environment, outside),
    )


def _looked_after(
    workspace: Workspace, temporary: Path | None
) -> tuple[tuple[Path, ...], str | None, str]:
    """Take away what killed ones left; return that, who deploys now, and what leaves that open."""
    try:
        try:
            with one_at_a_time(workspace):
                return clean_stale(workspace, temporary), None, ""
        except OSError:  # a disk that takes nothing: what stands there can be read all the same
            require_none_runs(workspace)
            return (), None, ""
    except ExternalError as trouble:
        return (), str(trouble), ""
    except OSError as trouble:
        return (), None, f" (unless it is still under way, which cannot be told: {trouble})"


def _health(
    workspace: Workspace, champions: dict[str, str], environment: str, outside: DeployEffects
) -> dict[str, str]:
    """Return what the health command says of each champion; nothing where there is none."""
    if workspace.settings.deployment.health_command is None:
        return {}
    service = service_of(workspace, outside)
    asked = {
        key: service.trouble(ExpectedChampion(environment, key, champion), 0, None)
        for key, champion in champions.items()
    }
    return {key: wrong or "" for key, wrong in asked.items()}


def _pulse(
    workspace: Workspace, champions: dict[str, str], environment: str, now: datetime
) -> ServiceHealth | None:
    settings = workspace.settings.deployment
    found = read_heartbeat(workspace.root / settings.heartbeat_file)
    if found is None:
        return None
    age_s = now.timestamp() - found.at_ms / 1000.0
    return ServiceHealth(
        age_s,
        age_s <= settings.heartbeat_seconds_max,
        found.pid,
        found.environment,
        found.champions,
        (found.environment, found.champions) == (environment, champions),
    )


def _instruments(records: tuple[object, ...]) -> list[str]:
    ends = (one for one in records if isinstance(one, InstallCompleted | InstallFailed))
    return list(dict.fromkeys(one.instrument for one in ends))
