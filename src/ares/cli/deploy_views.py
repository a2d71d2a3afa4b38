"""The output of ``ares deploy``: the plan to approve, and the state of deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ares.cli.models_views import served_line
from ares.cli.output import count, note, number, print_facts, print_table, say, utc

if TYPE_CHECKING:
    from ares.domain.model import Ensemble
    from ares.runtime.deploy.plan import DeployPlan
    from ares.runtime.deploy.status import DeployStatus

NONE = "–"


def show_plan(plan: DeployPlan) -> None:
    """Print what would change: the package, the two champions, and the restart."""
    new, old = plan.rehearsed.ensemble, plan.previous
    print_facts(
        {
            "package": plan.request.package,
            "SHA-256": plan.package_hash,
            "environment": plan.environment,
            "verdict": _verdict(plan),
            "restart": plan.restart_command,
            "when": "now" if plan.request.now else f"{utc(plan.starts_at)} UTC (quiet hours)",
        },
        title=f"{new.instrument}: {'complete the install of' if plan.resumed else 'install'} "
        f"{new.hash[:12]}",
    )
    print_table(
        ("", "champion now", "this package"),
        [
            ("ensemble", plan.previous_hash[:12] or "none", new.hash[:12]),
            ("created", None if old is None else utc(old.created_at), utc(new.created_at)),
            ("recipe", None if old is None else old.recipe_hash[:12], new.recipe_hash[:12]),
            ("members", _members(old), _members(new)),
            ("trades by", None if old is None else old.anchor.value, new.anchor.value),
            ("validation", _validation(old), _validation(new)),
        ],
    )
    trained_to = max(package.card.data_to_ms for package in plan.rehearsed.bundle.packages)
    say(f"It was trained on candles up to {utc(trained_to)} UTC.")
    for remark in plan.remarks:
        note(remark)


def show_status(found: DeployStatus) -> None:
    """Print champions, their newest installs, the service's health, and interrupted installs."""
    rows = [
        (key, champion[:12], _end(found, key)) for key, champion in sorted(found.champions.items())
    ]
    if rows:
        print_table(("instrument", "champion", "newest install"), rows, title=found.environment)
    else:
        say(f"{found.environment}: there is no champion")
    quiet = "now" if found.quiet else f"next {utc(found.quiet_from)} UTC"
    print_facts(
        {
            "policy": found.policy,
            "quiet hours": f"{found.quiet_hours} UTC, {quiet}",
            "service": _service(found),
        }
    )
    if found.running is not None:
        note(found.running)
    for key in found.down:
        say(
            f"{key}: the service did not come up with {found.champions.get(key, '')[:12] or NONE}, "
            "and was not seen healthy since: start it, then run this again",
            style="bold",
        )
    for line in (*map(served_line, found.served), *found.unreadable):
        say(line)
    for sentence in found.interrupted:
        say(sentence, style="bold")
    for folder in found.removed:
        note(f"removed {folder}, left by a deployment that was killed")


def _verdict(plan: DeployPlan) -> str:
    verdict = plan.rehearsed.verdict
    if plan.request.force:
        return f"not required: forced, {plan.request.reason.strip()}"
    if verdict is None:
        return NONE
    return f"passed for {verdict.environment}, {utc(verdict.at)} by {verdict.who}"


def _members(ensemble: Ensemble | None) -> str | None:
    if ensemble is None:
        return None
    return " ".join(f"{m.timeframe}:{m.weight:.2f}" for m in ensemble.members)


def _validation(ensemble: Ensemble | None) -> str | None:
    if ensemble is None:
        return None
    validation = ensemble.validation
    mean = number(validation.mean_bps if validation.trades else None, 1)
    return f"{count(validation.trades)} trades, {mean} bps each"


def _end(found: DeployStatus, instrument: str) -> str:
    end = found.newest_installs.get(instrument)
    if end is None:
        return NONE
    short, failed = end.ensemble_hash[:12], getattr(end, "reason", None)
    if failed is None:
        return f"{utc(end.at)}: {short}, healthy"
    return f"{utc(end.at)}: {short} did not come up: {failed}"


def _service(found: DeployStatus) -> str:
    heartbeat = found.heartbeat
    if found.health:
        problems = [f"{key}: {text}" for key, text in sorted(found.health.items()) if text]
        return "; ".join(problems) or "healthy, by deployment.health_command"
    if heartbeat is None:
        return "no heartbeat"
    serves = (
        "serves the champions"
        if heartbeat.serves
        else f"does not serve the champions of {found.environment}"
    )
    alive = "alive" if heartbeat.alive else "not responding"
    age_s, pid = heartbeat.age_seconds, heartbeat.pid
    return f"{alive}: heartbeat {age_s:.0f} s ago, process {pid}, {serves}"
