"""What ``ares deploy`` shows a person: the plan to approve, and where things stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ares.cli.output import count, note, number, print_facts, print_table, say, utc

if TYPE_CHECKING:
    from ares.domain.model import Ensemble
    from ares.runtime.deploy.plan import DeployPlan
    from ares.runtime.deploy.status import DeployStatus

NONE = "–"


def show_plan(plan: DeployPlan) -> None:
    """Print what would change: the package, the two champions side by side, and the restart."""
    new, old = plan.rehearsed.ensemble, plan.previous
    print_facts(
        {
            "package": plan.asked.package,
            "SHA-256": plan.package_hash,
            "environment": plan.environment,
            "verdict": _verdict(plan),
            "restart": plan.restart_command,
            "when": "now"
            if plan.asked.now
            else f"{plan.starts_at:%Y-%m-%d %H:%M} UTC (quiet hours)",
        },
        title=f"{new.instrument}: {'go on with the install of' if plan.resumed else 'install'} "
        f"{new.hash[:12]}",
    )
    print_table(
        ("", "champion now", "this one"),
        [
            ("ensemble", plan.previous_hash[:12] or "nobody", new.hash[:12]),
            ("made", None if old is None else old.created_at, new.created_at),
            ("recipe", None if old is None else old.recipe_hash[:12], new.recipe_hash[:12]),
            ("members", _members(old), _members(new)),
            ("trades by", None if old is None else old.anchor.value, new.anchor.value),
            ("validation", _validation(old), _validation(new)),
        ],
    )
    learned = max(package.card.data_to_ms for package in plan.rehearsed.bundle.packages)
    say(f"It has learned from candles up to {utc(learned)} UTC.")
    for remark in plan.remarks:
        note(remark)


def show_status(found: DeployStatus) -> None:
    """Print champions, how they came, the service's pulse, and what was interrupted."""
    rows = [
        (key, champion[:12], _end(found, key)) for key, champion in sorted(found.champions.items())
    ]
    if rows:
        print_table(("instrument", "champion", "newest install"), rows, title=found.environment)
    else:
        say(f"{found.environment}: there is no champion")
    quiet = "now" if found.quiet else f"next {found.quiet_from:%Y-%m-%d %H:%M} UTC"
    print_facts(
        {
            "policy": found.policy,
            "quiet hours": f"{found.quiet_hours} UTC, {quiet}",
            "service": _pulse(found),
        }
    )
    if found.under_way is not None:
        note(found.under_way)
    for key in found.down:
        say(
            f"{key}: the service did not come up with {found.champions.get(key, '')[:12] or NONE}, "
            "and was not seen healthy since: start it, then ask again",
            style="bold",
        )
    for sentence in found.unfinished:
        say(sentence, style="bold")
    for folder in found.cleaned:
        note(f"taken away: {folder}, left behind by a deployment that was killed")


def _verdict(plan: DeployPlan) -> str:
    judged = plan.rehearsed.judged
    if plan.asked.force:
        return f"none asked: forced, {plan.asked.reason.strip()}"
    if judged is None:
        return NONE
    return f"passed for {judged.environment}, {judged.at} by {judged.who}"


def _members(ensemble: Ensemble | None) -> str | None:
    if ensemble is None:
        return None
    return " ".join(f"{m.timeframe}:{m.weight:.2f}" for m in ensemble.members)


def _validation(ensemble: Ensemble | None) -> str | None:
    if ensemble is None:
        return None
    seen = ensemble.validation
    mean = number(seen.mean_bps if seen.trades else None, 1)
    return f"{count(seen.trades)} trades, {mean} bps each"


def _end(found: DeployStatus, instrument: str) -> str:
    end = found.ends.get(instrument)
    if end is None:
        return NONE
    short, failed = end.ensemble_hash[:12], getattr(end, "reason", None)
    if failed is None:
        return f"{end.at}: {short}, healthy"
    return f"{end.at}: {short} did not come up: {failed}"


def _pulse(found: DeployStatus) -> str:
    beat = found.heartbeat
    if found.health:
        wrong = [f"{key}: {said}" for key, said in sorted(found.health.items()) if said]
        return "; ".join(wrong) or "healthy, by deployment.health_command"
    if beat is None:
        return "no heartbeat"
    said = (
        "serves the champions"
        if beat.serves
        else f"does not serve the champions of {found.environment}"
    )
    life = "alive" if beat.alive else "silent"
    return f"{life}: heartbeat {beat.age_seconds:.0f} s ago, process {beat.pid}, {said}"
